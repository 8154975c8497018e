"""Attacks of the user's own, images made elsewhere, saved images, and banks of logits."""

import json

import numpy as np
import pytest

from classward.records.record import Record

SUBJECT = ("--model", "mine.py:model", "--data", "digits", "--samples", "60")
ATTACKS = """
import torch

def shift(model, images, labels, by=0.02):
    return (images + by).clamp(0, 1)

def liar(model, images, labels):
    return 1 - images

def fast(model, images, labels, eps=0.1):
    leaf = images.clone().requires_grad_()
    torch.nn.functional.cross_entropy(model(leaf), labels).backward()
    return (images + eps * leaf.grad.sign()).clamp(0, 1)
"""


@pytest.fixture
def attacks(tmp_path):
    (tmp_path / "attacks.py").write_text(ATTACKS)
    (tmp_path / "faulty.py").write_text("import nowhere_to_be_found")


def test_a_function_is_an_attack(cli, attacks, tmp_path):
    own = cli("attack", *SUBJECT, "--attack", "attacks.py:fast", "--eps", ".1", "--json")
    assert own.code == 0, own.err
    ours = cli("attack", *SUBJECT, "--attack", "fgsm", "--eps", ".1", "--json")
    table, wanted = json.loads(own.out), json.loads(ours.out)
    assert table["robust_accuracy"] == wanted["robust_accuracy"] < table["clean_accuracy"]
    assert table["attack"] == "fast(ball=Linf(eps=0.1))"
    assert (tmp_path / "runs" / "attack-fast-1").is_dir()
    weaker = ("--attack", "attacks.py:fast", "--eps", ".1", "--set", "eps=0.01", "--json")
    assert json.loads(cli("attack", *SUBJECT, *weaker).out)["robust_accuracy"] > 0.5


def test_a_broken_promise_is_exit_5_with_a_bundle(cli, attacks, tmp_path):
    said = cli("attack", *SUBJECT, "--attack", "attacks.py:liar", "--eps", ".1", "--out", "run")
    last = said.err.splitlines()[-1]
    assert said.code == 5 and said.out == "" and "Traceback" not in said.err
    assert last.startswith("classward: liar left Linf(eps=0.1): sample 1 at")
    assert last.endswith("replay bundle: run/replay.npz")
    with np.load(tmp_path / "run/replay.npz") as bundle:
        assert np.allclose(bundle["returned"], 1 - bundle["images"])
        assert json.loads(str(bundle["about"]))["settings"]["attack"].startswith("liar(")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("attack", "--attack", "attacks.py:shft"), "the nearest is 'shift'"),
        (("attack", "--attack", "nowhere.py:shift"), "nowhere.py: no such Python file"),
        (("attack", "--attack", "faulty.py:shift"), "faulty.py failed: ModuleNotFoundError"),
        (("attack", "--attack", "pgd", "--bank", "nowhere"), "pgd takes no --bank"),
        (("judge", "--images", "nowhere.npy"), "nowhere.npy: no such file"),
        (("judge", "--images", "short.npy"), "short.npy: 3 images for 60 samples"),
        (("judge", "--images", "far.npy", "--eps", ".1"), "far.npy: the image of sample 1 is"),
        (("judge", "--images", "far.npy", "--eps", "8"), "--eps"),
        (("judge", "--images", "far.txt"), "expected an .npz or .npy file"),
    ],
)
def test_one_line_and_nothing_written(cli, attacks, tmp_path, arguments, said):
    np.save(tmp_path / "short.npy", np.zeros((3, 1, 8, 8), np.float32))
    np.save(tmp_path / "far.npy", np.ones((60, 1, 8, 8), np.float32))
    made = cli(*arguments, *SUBJECT, "--out", "run")
    lines = made.err.strip().splitlines()
    assert made.code == 2 and said in lines[-1] and len(lines[-1]) < 200, lines
    assert "Traceback" not in made.err and not (tmp_path / "run").exists()


def test_saved_images_are_judged_as_they_were(cli, tmp_path):
    pgd = ("--attack", "pgd", "--eps", ".1", "--set", "step_size=eps/4", "--save-images")
    made = cli("attack", *SUBJECT, *pgd, "--out", "run", "--json")
    table = json.loads(made.out)
    rounded = table["eight_bit"]
    assert rounded["success_rate"] == table["success_rate"]
    assert len([*(tmp_path / "run/images-8bit").rglob("*.png")]) == 60
    judge = ("judge", *SUBJECT, "--eps", ".1", "--images")
    floats = json.loads(cli(*judge, "run/images.npz", "--json").out)
    assert floats["robust_accuracy"] == table["robust_accuracy"]
    loose = ("judge", *SUBJECT, "--images", "run/images-8bit", "--json", "--out", "pictures")
    pictures = json.loads(cli(*loose).out)
    assert pictures["success_rate"] == rounded["success_rate_8bit"]
    assert Record.open(tmp_path / "pictures").linf.max() <= rounded["largest_linf_8bit"] + 1e-6
    assert cli("analyze", "pictures").code == 0


def test_logit_mimicry_finds_its_bank(cli, tmp_path):
    mimicry = ("--attack", "logit_mimicry", "--eps", ".3", "--set", "step_size=eps/4")
    made = cli("attack", *SUBJECT, *mimicry, "--out", "trained", "--json")
    assert made.code == 0, made.err
    table = json.loads(made.out)
    assert table["robust_accuracy"] < 0.5 < table["clean_accuracy"]
    bank = Record.open(tmp_path / "trained").settings["ingredients"]["bank"]
    assert bank.startswith("tensor (") and ", 10), sha256 " in bank
    again = cli("attack", *SUBJECT, *mimicry, "--bank", "trained", "--out", "recorded")
    assert again.code == 0, again.err
    assert Record.open(tmp_path / "recorded").settings["ingredients"]["bank"] != bank
    strange = ("--model", "mine.py:shifted", "--data", "digits", "--samples", "60")
    refused = cli("attack", *strange, *mimicry, "--bank", "trained")
    assert refused.code == 2 and "a record of another classifier" in refused.err


def test_logit_mimicry_goes_behind_a_corrector(cli, tmp_path):
    pgd = ("--attack", "pgd", "--eps", ".1", "--set", "step_size=eps/4", "--out", "fitting")
    assert cli("attack", *SUBJECT, "--split", "train", *pgd).code == 0
    fit = ("correct", "fit", "fitting", "--set", "epochs=5", "--out", "c.safetensors")
    assert cli(*fit).code == 0
    mimicry = ("--attack", "logit_mimicry", "--eps", ".3", "--set", "step_size=eps/4")
    made = cli(
        "attack", *SUBJECT, *mimicry, "--corrector", "c.safetensors", "--out", "run", "--json"
    )
    assert made.code == 0, made.err
    assert Record.open(tmp_path / "run").settings["gradient_model"] == "given by the caller"
