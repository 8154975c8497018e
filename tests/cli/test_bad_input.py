"""Wrong calls: one clear line, exit code 2 or 3, and nothing written."""

import os

import numpy as np
import pytest

DIGITS = ("--data", "digits", "--samples", "20", "--eps", ".05")
MINE = ("--model", "mine.py:model")

TRAIN = ("train", "--model", "small_cnn", "--data", "digits", "--defense")

CASES = {
    "unknown command": (("audt",), "audt"),
    "unknown option": (("audit", *MINE, *DIGITS, "--epsilon", "1"), "--epsilon"),
    "no model": (("audit", *DIGITS), "--model"),
    "unknown model": (("audit", "--model", "resnt20", *DIGITS), "resnet20"),
    "unknown data": (("audit", *MINE, "--data", "digts"), "digits"),
    "unknown split": (("audit", *MINE, *DIGITS, "--split", "dev"), "dev"),
    "too many samples": (("audit", *MINE, *DIGITS, "--samples", "9999"), "9999"),
    "samples in words": (("audit", *MINE, *DIGITS, "--samples", "many"), "many"),
    "no samples": (("audit", *MINE, *DIGITS, "--samples", "0"), "0"),
    "eps beyond the box": (("audit", *MINE, *DIGITS, "--eps", "8"), "8"),
    "eps below zero": (("audit", *MINE, *DIGITS, "--eps=-0.1"), "-0.1"),
    "eps in words": (("audit", *MINE, *DIGITS, "--eps", "small"), "small"),
    "an eps of several": (("audit", *MINE, *DIGITS, "--eps", "0.1,8"), "8"),
    "eps not a number": (("audit", *MINE, *DIGITS, "--eps", "nan"), "nan"),
    "unknown norm": (("audit", *MINE, *DIGITS, "--norm", "l1"), "l1"),
    "unknown budget": (("audit", *MINE, *DIGITS, "--budget", "huge"), "huge"),
    "fast": (("audit", *MINE, *DIGITS, "--precision", "fast"), "fast"),
    "no such device": (("audit", *MINE, *DIGITS, "--device", "gpu"), "gpu"),
    "batch of none": (("audit", *MINE, *DIGITS, "--batch-size", "0"), "--batch-size"),
    "seed below zero": (("audit", *MINE, *DIGITS, "--seed", "-1"), "--seed"),
    "percent": (("audit", *MINE, *DIGITS, "--expect-clean", "91.7"), "--expect-clean"),
    "resume of nothing": (("audit", *MINE, *DIGITS, "--resume"), "--out"),
    "both": (("audit", *MINE, *DIGITS, "--out", "r", "--resume", "--overwrite"), "exclude"),
    "a file as out": (("audit", *MINE, *DIGITS, "--out", "mine.py"), "mine.py"),
    "others' files": (("audit", *MINE, *DIGITS, "--out", ".", "--overwrite"), "not of a run"),
    "probabilities": (("audit", "--model", "mine.py:probabilities", *DIGITS), "softmax"),
    "wrong classes": (("audit", "--model", "mine.py:three_classes", *DIGITS), "3"),
    "no such file": (("audit", "--model", "ours.py:model", *DIGITS), "ours.py"),
    "no such function": (("audit", "--model", "mine.py:modle", *DIGITS), "modle"),
    "a factory that fails": (
        ("audit", "--model", "mine.py:raises", *DIGITS),
        "no such checkpoint",
    ),
    "a factory of nothing": (("audit", "--model", "mine.py:nothing", *DIGITS), "mine.py"),
    "no such weights": (
        ("audit", "--model", "small_cnn", "--weights", "w.pt", *DIGITS),
        "w.pt",
    ),
    "weights that are text": (
        ("audit", "--model", "small_cnn", "--weights", "text.safetensors", *DIGITS),
        "text.safetensors",
    ),
    "truncated weights": (
        ("audit", "--model", "small_cnn", "--weights", "short.safetensors", *DIGITS),
        "short.safetensors",
    ),
    "three means for one channel": (("audit", *MINE, *DIGITS, "--mean", ".5,.5,.5"), "mean"),
    "a mean in words": (("audit", *MINE, *DIGITS, "--mean", "half"), "half"),
    "labels out of range": (("audit", *MINE, "--data", "labels.npz"), "label"),
    "pixels out of range": (("audit", *MINE, "--data", "pixels.npz"), "255"),
    "no images": (("audit", *MINE, "--data", "empty.npz"), "empty"),
    "no arrays": (("audit", *MINE, "--data", "mine.npz"), "mine.npz"),
    "unknown attack": (("attack", "--attack", "pdg", *MINE, *DIGITS), "pgd"),
    "unknown attack option": (
        ("attack", "--attack", "pgd", *MINE, *DIGITS, "--set", "stepz=3"),
        "steps",
    ),
    "set without value": (
        ("attack", "--attack", "pgd", *MINE, *DIGITS, "--set", "steps"),
        "steps",
    ),
    "set twice": (
        ("attack", "--attack", "pgd", *MINE, *DIGITS, "--set", "steps=1", "--set", "steps=2"),
        "twice",
    ),
    "no steps": (("attack", "--attack", "pgd", *MINE, *DIGITS, "--set", "steps=0"), "steps"),
    "steps that end short": (
        ("attack", "--attack", "pgd", *MINE, "--data", "digits", "--eps", ".3"),
        "step_size",
    ),
    "a radius for DeepFool": (("attack", "--attack", "deepfool", *MINE, *DIGITS), "eps"),
    "analysis of nothing": (("analyze", "nowhere"), "nowhere"),
    "analysis of a file": (("analyze", "mine.py"), "mine.py"),
    "report of nothing": (("report", "."), "manifest"),
    "list of nothing": (("list", "papers"), "papers"),
    "unknown defense": (
        (*TRAIN, "trade"),
        "trade",
    ),
    "no pairs": (
        (*TRAIN, "symmetry_aware"),
        "--pairs",
    ),
    "unknown recipe option": (
        (*TRAIN, "standard", "--set", "recipe.epoch=1"),
        "epochs",
    ),
    "an option of nobody": (
        (*TRAIN, "standard", "--set", "optimizer.lr=1"),
        "optimizer.lr",
    ),
    "fit on nothing": (("correct", "fit", "nowhere"), "nowhere"),
    "no such corrector": (("correct", "apply", "c.safetensors", "x.npy"), "c.safetensors"),
}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "text.safetensors").write_text("not weights")
    (tmp_path / "short.safetensors").write_bytes(b"\x10\x27\x00\x00\x00\x00\x00\x00{")
    (tmp_path / "mine.npz").write_text("no archive")
    images = np.zeros((4, 1, 8, 8), np.float32)
    np.savez(
        tmp_path / "labels.npz",
        images=images,
        labels=[0, 1, 10, 2],
        class_names=[*"0123456789"],
    )
    np.savez(tmp_path / "pixels.npz", images=images + 200, labels=[0, 1, 2, 3])
    np.savez(tmp_path / "empty.npz", images=images[:0], labels=np.zeros(0, int))


def tree(folder):
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*")
            if "__pycache__" not in str(p)}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(cli, files, tmp_path, name):
    arguments, wanted = CASES[name]
    before = tree(tmp_path)
    said = cli(*arguments)
    lines = said.err.strip().splitlines()
    assert said.code == 2, (said.code, said.err)
    assert "Traceback" not in said.err and said.out == ""
    assert lines[-1].startswith("classward: ") and wanted in lines[-1], lines
    assert len(lines) == 1 and len(lines[0]) < 300, lines
    assert tree(tmp_path) == before


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


def test_an_interruption_is_130(cli, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("classward.data.load._load", stopped)
    said = cli("audit", *MINE, *DIGITS)
    assert said.code == 130 and "--resume" in said.err
