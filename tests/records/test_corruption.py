"""Artefacts on disk, each damaged at hundreds of places: refused by name, or no loss."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from classward.attacks.fgsm import FGSM
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.data.packed import read_strips
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.evaluation.run_attack import run_attack
from classward.records.correction_result import TransferTable
from classward.records.record import Record
from classward.records.result import Share
from classward.records.run_folder import RunFolder
from classward.records.saved import dump, load
from classward.training import checkpoint
from classward.training.schedule import Recipe
from classward.training.train import train

SHARES = {"truncated": 2, "flipped": 4, "zeroed": 1}


def split(samples, size, classes):
    images = torch.rand(samples, 1, size, size, generator=torch.Generator().manual_seed(0))
    return Split(images, torch.arange(samples) % classes)


def record(folder):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    run_attack(model, FGSM(ball=Linf(0.1)), split(24, 4, 3), out=folder / "run")

    def read():
        found = Record.open(folder / "run")
        logits = (found.clean_logits, found.adversarial_logits)
        kept = (found.ids, found.labels, found.predictions, found.correct, found.robust)
        told = (found.passes, found.gradients, found.settings, found.class_names)
        return [*(values.tolist() for values in (*logits, *kept)), told]

    return read


def training(folder):
    train(
        AdversarialTraining(attack=FGSM(ball=Linf(0.1))),
        "small_cnn",
        split(20, 8, 2),
        layout={"width": 0.1},
        recipe=Recipe(epochs=1, batch_size=10, validation=0),
        out=folder / "run",
    )
    kept = RunFolder.open(folder / "run")
    for file in kept.path.iterdir():  # what a resumed training reads
        if not file.name.startswith(("last.json", "checkpoint", "manifest")):
            file.unlink()

    def read():
        found = checkpoint.read(RunFolder.open(folder / "run"), "last")
        tensors = [
            (part, name, rows.tolist())
            for part in checkpoint.TENSORS
            for name, rows in sorted(found[part].items())
        ]
        plain = [found[part] for part in checkpoint.PLAIN]
        return tensors, plain, RunFolder.open(folder / "run").settings

    return read


def corrector(folder):
    rng = np.random.default_rng(0)
    made = Corrector.small(hidden=8, epochs=1).fit(rng.normal(size=(20, 3)), np.arange(20) % 3)
    made.save(folder / "c.safetensors")

    def read():
        found = Corrector.load(folder / "c.safetensors")
        return found.get_params(), [
            rows.tolist() for rows in found.network_.state_dict().values()
        ]

    return read


def result(folder):
    share = Share(count=1, total=3, value=1 / 3, low=0.1, high=0.6)
    told = TransferTable(correctors=["a"], attacks=["pgd"], accuracy=[[share]], samples=3)
    (folder / "r.json").write_text(dump(told))
    return lambda: load((folder / "r.json").read_bytes(), str(folder / "r.json"))


def packed(folder):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3), np.uint8)
    strip, labels = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels.reshape(-1, 8, 3)).save(strip, "WEBP", lossless=True)
    np.save(labels, np.arange(40) % 3)
    with zipfile.ZipFile(folder / "p.zip", "w") as archive:
        archive.writestr("test_000.webp", strip.getvalue())
        archive.writestr("test_labels.npy", labels.getvalue())

    def read():
        return [part.tolist() for part in read_strips(folder / "p.zip", "test", 8, 3)]

    return read


KINDS = {made.__name__: made for made in (record, training, corrector, result, packed)}


def damages(folder, count, rng):
    """Which file, and what is left of it: cut short, with a flipped bit, with zeros in it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
    for number in range(count):
        file = files[number % len(files)]
        whole = bytearray(file.read_bytes())
        at = int(rng.integers(len(whole)))
        how = rng.choice([*SHARES], p=np.array([*SHARES.values()]) / 7)
        if how == "truncated":
            del whole[at:]
        elif how == "flipped":
            whole[at] ^= 1 << int(rng.integers(8))
        else:
            page = min(4096, max(1, len(whole) // 8))
            whole[at : at + page] = bytes(len(whole[at : at + page]))
        yield file, bytes(whole)


@pytest.mark.parametrize("count", [70, pytest.param(700, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_by_name_or_changes_nothing(tmp_path, kind, count):
    read = KINDS[kind](tmp_path)
    good = repr(read())
    refused = 0
    for file, left in damages(tmp_path, count, np.random.default_rng(20261122)):
        whole = file.read_bytes()
        file.write_bytes(left)
        try:
            assert repr(read()) == good, file.name
        except InputError as error:
            refused += 1
            text = str(error)
            assert "\n" not in text and str(tmp_path) in text, text
        finally:
            file.write_bytes(whole)
    assert repr(read()) == good
    assert refused > 0.9 * count
