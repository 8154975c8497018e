"""Wrong calls: one clear line, exit code 2 or 3, and nothing written.

The calls are in `malformed/cases.toml`; the files they name are made here, or lie beside it.
"""

import json
import os
import pickle
import shlex
import shutil
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from classward.analysis.analyze import analyze
from classward.attacks.fgsm import FGSM
from classward.core.balls import Linf
from classward.correction.corrector import Corrector
from classward.correction.file import read, write
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.run_attack import run_attack
from classward.models.load import load_model
from classward.models.weights import save_weights
from classward.records.atomic import sha256
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.records.sealed import seal

DIGITS = ("--data", "digits", "--samples", "10", "--eps", ".05")
MINE = ("--model", "mine.py:model")
MALFORMED = Path(__file__).parent / "malformed"
TABLE = tomllib.loads((MALFORMED / "cases.toml").read_text())
CASES = {
    name: (start, *case)
    for start, part in TABLE.items()
    for name, case in part["cases"].items()
}
MANIFESTS = {
    "damaged_manifest": '{"schema": 1, "kind"',
    "manifest_of_text": '"schema"',
    "manifest_without_kind": '{"schema": 1}',
    "manifest_without_samples": '{"schema": 1, "kind": "attack", "settings": {}}',
    "later": '{"schema": 99}',
}
RESULTS = {
    "damaged_result": b'{"schema": 1, "kind"',
    "unknown_result": b'{"schema": 1, "kind": ["audit"]}',
    "half_result": b'{"schema": 1, "kind": "audit", "samples": 3}',
    "binary_result": b"\xff\xfe\x00",
}


class Gadget:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("owned",)


@pytest.fixture(scope="module")
def malformed(tmp_path_factory, mine):
    """A folder with everything that the calls name."""
    folder = tmp_path_factory.mktemp("malformed")
    (folder / "mine.py").write_text(mine)
    for name in ("data.py", "models.py"):
        (folder / name).write_text((MALFORMED / name).read_text())
    (folder / "syntax.py").write_text("def model(:\n")
    for ending in ("safetensors", "pt", "npz", "npy"):
        (folder / f"text.{ending}").write_text("The quick brown fox jumps over the lazy dog")
        (folder / f"empty.{ending}").write_bytes(b"")
    arrays(folder)
    weights(folder)
    correctors(folder)
    pictures(folder)
    runs(folder)
    return folder


def arrays(folder):
    images, labels = np.full((10, 1, 8, 8), 0.5, np.float32), np.arange(10)
    twice, below = np.array([0, 1, 2, 2, 4, 5, 6, 7, 8, 9]), labels - 1
    np.savez(folder / "twice.npz", images=images, labels=labels, ids=twice)
    np.savez(folder / "below.npz", images=images, labels=labels, ids=below)
    np.savez(folder / "strangers.npz", images=images, labels=labels, ids=labels + 5000)
    np.savez(folder / "unlabelled.npz", images=images)
    gadget = np.array([Gadget()] * 10)
    np.savez(folder / "gadget.npz", images=gadget, labels=labels)
    np.save(folder / "gadget.npy", gadget)
    logits = np.random.default_rng(0).normal(size=(10, 10)).astype(np.float32)
    holed = logits.copy()
    holed[3, 4] = np.nan
    tables = {
        "nine": images[:9],
        "shape": images[..., :4, :4],
        "bytes": images * 400,
        "far": images,
        "logits": logits,
        "c3": logits,
        "row": logits[0],
        "nan": holed,
        "words": np.array([["a", "b"]]),
        "shares": np.full((10, 10), 0.1, np.float32),
        "none": logits[:0],
    }
    for name, table in tables.items():
        np.save(folder / f"{name}.npy", table)
    for name, whole in (("truncated.npz", "twice.npz"), ("truncated.npy", "logits.npy")):
        data = (folder / whole).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])


def weights(folder):
    network = load_model("small_cnn", classes=10, channels=1, size=8)
    whole = save_weights(network)
    (folder / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "header.safetensors").write_bytes(b"\xff" * 8 + b"{}")
    save_file({"other": torch.zeros(3)}, folder / "other.safetensors")
    state = {name: value * torch.nan for name, value in network.state_dict().items()}
    save_file(state, folder / "nan.safetensors")
    torch.save({"epoch": 3, "loss": 0.5}, folder / "numbers.pt")
    torch.save(3, folder / "number.pt")
    torch.save(network.state_dict(), folder / "whole.pt")
    data = (folder / "whole.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(data[: len(data) // 2])
    with zipfile.ZipFile(folder / "gadget.pt", "w") as archive:
        archive.writestr("gadget/data.pkl", pickle.dumps({"weight": Gadget()}, 2))
        archive.writestr("gadget/version", "3")


def correctors(folder):
    draws = np.random.default_rng(0)
    for name, classes in (("ten", 10), ("three", 3)):
        rows = draws.normal(size=(20, classes)).astype(np.float32)
        fitted = Corrector.small(hidden=4, epochs=1).fit(rows, np.arange(20) % classes)
        fitted.save(folder / f"{name}.safetensors")
    whole = (folder / "ten.safetensors").read_bytes()
    (folder / "changed.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    tensors, about = read(folder / "ten.safetensors")
    write(folder / "options.safetensors", tensors, about | {"options": {"__class__": "os"}})
    claims = about["options"] | {"hidden": 10**15}
    write(folder / "claims.safetensors", tensors, about | {"options": claims})
    save_file(tensors, folder / "notes.safetensors", {"corrector": "0 []"})


def pictures(folder):
    for kind in ("damaged", "sizes", "named"):
        for label in "ab":
            (folder / kind / label).mkdir(parents=True)
    gray = Image.new("L", (8, 8))
    for path in ("damaged/a/0.png", "sizes/a/0.png", "named/a/cat.png"):
        gray.save(folder / path)
    (folder / "damaged/b/1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.new("L", (9, 9)).save(folder / "sizes/b/1.png")
    (folder / "runs").mkdir()
    (folder / "runs/notes.txt").write_text("not of a run")


def runs(folder):
    """Records of attacks, and folders that look like runs."""
    model, data = load_model(f"{folder}/mine.py:model"), load_data("digits", samples=10)
    attack(folder / "record", model, data)
    attack(folder / "analysed", model, load_data("digits", split="train", samples=10))
    found = analyze(Record.open(folder / "analysed"), permutations=1)
    (folder / "analysed/analysis.json").write_text(dump(found))
    attack(folder / "stopped", model, data, until="first_success")
    blank = Split(torch.zeros(10, 1, 8, 8), torch.arange(10) % 3, ["a", "b", "c"])
    attack(folder / "strangers", nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), blank)
    for name, kind in (("training", "train"), ("unfinished", "audit")):
        made(folder / name, kind, {"samples": 10})
    made(folder / "half", "attack", {"samples": 10, "class_names": ["a", "b"]})
    damaged_records(folder)
    for name, text in MANIFESTS.items():
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_text(text)
    for name, data in RESULTS.items():
        made(folder / name, "audit", {})
        (folder / name / "result.json").write_bytes(data)


def damaged_records(folder):
    """Copies of the record, each wrong in one way."""
    marker = json.loads((folder / "record/shard-00000.json").read_text())
    del marker["sha256"]
    for name in ("damaged_record", "junk_shard", "gadget_record", "climbing"):
        shutil.copytree(folder / "record", folder / name)
    with open(folder / "damaged_record/shard-00000-labels.npy", "r+b") as file:
        file.truncate(100)
    (folder / "junk_shard/shard-00000.json").write_text('{"files": 3}')
    column = "shard-00000-labels.npy"
    shutil.copy(folder / "gadget.npy", folder / "gadget_record" / column)
    for name, files in {
        "gadget_record": {column: sha256(folder / "gadget.npy")},
        "climbing": {"../mine.py": sha256(folder / "mine.py")},
    }.items():
        text = seal(marker | {"files": marker["files"] | files})  # by who knows how
        (folder / name / "shard-00000.json").write_text(text)


def attack(folder, model, data, **options):
    run_attack(model.eval(), FGSM(ball=Linf(0.05)), data, out=folder, **options)


def made(folder, kind, settings):
    with RunFolder.create(folder, kind, settings):
        pass


def tree(folder):
    """Every path in the folder, and of a file which one it is and when it was written."""
    return {
        str(path): path.is_file() and (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def test_there_are_enough():
    assert len(CASES) >= 120 and len(CASES) == sum(len(p["cases"]) for p in TABLE.values())


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(cli, malformed, monkeypatch, name):
    start, rest, wanted, *codes = CASES[name]
    monkeypatch.chdir(malformed)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    before = tree(malformed)
    said = cli(*shlex.split(start), *shlex.split(rest))
    lines = said.err.strip().splitlines()
    assert said.code == (codes or [2])[0], (said.code, said.err)
    assert "Traceback" not in said.err and said.out == ""
    assert [line.startswith("classward: ") for line in lines].index(True) == len(lines) - 1
    assert wanted in lines[-1] and len(lines[-1]) < 200, lines[-1]
    assert tree(malformed) == before


@pytest.mark.parametrize("load", [np.load, torch.load])
def test_the_hostile_files_are_hostile(malformed, tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    if load is np.load:
        np.load(malformed / "gadget.npy", allow_pickle=True)
    else:
        torch.load(malformed / "gadget.pt", weights_only=False)
    assert (tmp_path / "owned").is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(cli, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    said = cli("audit", *MINE, *DIGITS, "--out", "locked/run")
    assert said.code == 3 and "locked" in said.err and said.err.count("\n") == 1


def test_a_folder_where_none_can_be(cli):
    said = cli("audit", *MINE, *DIGITS, "--out", "/proc/run")
    assert said.code in (2, 3) and "/proc/run" in said.err.splitlines()[-1]


def test_a_full_disk_is_exit_3(cli, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("classward.records.run_folder.os.replace", full)
    said = cli("attack", "--attack", "fgsm", *MINE, *DIGITS, "--out", "run")
    assert said.code == 3 and "disk full" in said.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_an_error_of_ours_is_told_apart(cli, monkeypatch):
    def broken(*_, **__):
        raise KeyError("surprise")

    monkeypatch.setattr("classward.data.load._load", broken)
    said = cli("audit", *MINE, *DIGITS)
    assert said.code == 5 and "internal error, KeyError" in said.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("audit", *MINE, *DIGITS), "interrupted; the same command with --resume goes on"),
        (("reproduce", "symmetry/surface"), "interrupted; the same command goes on"),
        (("correct", "fit", "runs/none"), "interrupted"),
    ],
)
def test_an_interruption_is_130_and_says_how_to_go_on(cli, monkeypatch, command, said):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("classward.data.load._load", stopped)
    monkeypatch.setattr("classward.cli.options.record_of", stopped)
    told = cli(*command)
    assert (told.code, told.err.splitlines()[-1]) == (130, f"classward: {said}")
