"""Readers given anything: they read it or refuse it in one line, soon."""

import json
import shutil
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from classward.attacks.fgsm import FGSM
from classward.core.balls import Linf
from classward.core.errors import InputError, SystemFaultError
from classward.correction.corrector import Corrector
from classward.data.arrays import read_npz
from classward.data.cifar import read_batches
from classward.data.idx import read_idx
from classward.data.image_folder import read_folder
from classward.data.packed import read_strips
from classward.data.split import Split
from classward.data.tables import read_table
from classward.evaluation.run_attack import run_attack
from classward.experiments.paper_table import PAPERS
from classward.experiments.paper_table import read_table as read_paper
from classward.models.weights import read_weights
from classward.records.manifest import read_manifest
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import load
from classward.records.shards import read_shard

SECONDS = 5.0  # at most, for one file


def toml(folder):
    shutil.copy(PAPERS / "symmetry/table1.toml", folder / "t.toml")
    return folder / "t.toml", lambda: read_paper(str(folder / "t.toml"), "small")


def attacked(folder):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    images = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.arange(8) % 3)
    run_attack(model, FGSM(ball=Linf(0.1)), split, out=folder / "run")
    return folder / "run"


def manifest(folder):
    run = attacked(folder)
    return run / "manifest.json", lambda: (read_manifest(run), Record.open(run))


def marker(folder):
    run = attacked(folder)
    return run / "shard-00000.json", lambda: read_shard(RunFolder.open(run), 0)


def column(folder):
    run = attacked(folder)
    return run / "shard-00000-labels.npy", lambda: Record.open(run)


def result(folder):
    shown = PAPERS.parent / "nothing.json"
    file = folder / "r.json"
    file.write_text(json.dumps({"schema": 1, "kind": "demo", "seed": 0, "passed": True}))
    return file, lambda: load(file.read_bytes(), str(shown))


def npz(folder):
    np.savez(folder / "d.npz", images=np.zeros((3, 1, 4, 4), np.uint8), labels=np.arange(3))
    return folder / "d.npz", lambda: read_npz(folder / "d.npz").batch(torch.arange(3))


def idx(folder):
    file = folder / "images-idx3-ubyte"
    file.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4, *range(32)]))
    return file, lambda: read_idx(file, 3)


def cifar(folder):
    file = folder / "test_batch.bin"
    file.write_bytes(bytes(3073) * 2)
    return file, lambda: read_batches(folder, ["test_batch.bin"], 1)


def picture(folder):
    (folder / "data/a").mkdir(parents=True)
    file = folder / "data/a/0.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file)
    return file, lambda: read_folder(folder / "data").batch(torch.arange(1))


def strips(folder):
    file = folder / "p.zip"
    np.savez(file.with_suffix(""), test_labels=np.arange(3))
    shutil.move(folder / "p.npz", file)
    return file, lambda: read_strips(file, "test", 4, 3)


def csv(folder):
    (folder / "t.csv").write_text("a,b\n1,2\n3,4.5\n")
    return folder / "t.csv", lambda: read_table(folder / "t.csv")


def npy(folder):
    np.save(folder / "t.npy", np.zeros((3, 2)))
    return folder / "t.npy", lambda: read_table(folder / "t.npy")


def weights(folder):
    save_file({"w": torch.zeros(3)}, folder / "w.safetensors")
    return folder / "w.safetensors", lambda: read_weights(folder / "w.safetensors")


def corrector(folder):
    made = Corrector.small(hidden=4, epochs=1).fit(9 * np.eye(3)[[0, 1, 2] * 4], [0, 1, 2] * 4)
    made.save(folder / "c.safetensors")
    return folder / "c.safetensors", lambda: Corrector.load(folder / "c.safetensors")


READERS = (
    toml, manifest, marker, column, result, npz, idx, cifar, picture, strips, csv, npy, weights,
    corrector,
)  # fmt: skip


@st.composite
def damaged(draw, good):
    """Anything; or the good file with parts of it cut, doubled, overwritten or put in."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    left = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(left)))
        to = draw(st.integers(at, min(len(left), at + 40)))
        left[at:to] = draw(
            st.sampled_from([b"", bytes(left[at:to]) * 2]) | st.binary(max_size=20)
        )
    return bytes(left)


@pytest.mark.parametrize(
    "examples",
    [pytest.param(20, id="few"), pytest.param(1500, id="many", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("reader", READERS)
def test_anything_is_read_or_refused(tmp_path, reader, examples):
    file, read = reader(tmp_path)
    good = file.read_bytes()
    read_or_refused(read)
    refused = 0

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    @given(content=damaged(good))
    def fuzzed(content):
        nonlocal refused
        file.write_bytes(content)
        refused += read_or_refused(read)

    fuzzed()
    print(f"{reader.__name__}: {refused} of {examples} refused")  # noqa: T201


def read_or_refused(read):
    """Whether it was refused, as errors of ours are: in one line."""
    begun, told = time.monotonic(), ""
    try:
        read()
    except (InputError, SystemFaultError) as error:
        told = str(error)
    assert "\n" not in told
    assert time.monotonic() - begun < SECONDS
    return bool(told)
