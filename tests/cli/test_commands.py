"""Every command, end to end, as a user calls it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from classward.correction.corrector import Corrector
from classward.records.record import Record

SUBJECT = ("--model", "mine.py:model", "--data", "digits", "--samples", "100")


def test_audit_prints_writes_and_renders(cli, tmp_path):
    said = cli("audit", *SUBJECT, "--eps", "0.05", "--out", "run", "--json")
    assert said.code == 0, said.err
    table = json.loads(said.out)
    assert table["samples"] == 100 and table["verdict"] == "sound"
    assert 0 < table["robust_accuracy"] < table["clean_accuracy"]
    assert "at most 67760 images forward" in said.err
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<html" in page and "Content-Security-Policy" in page
    assert json.loads((tmp_path / "run" / "result.json").read_text())["kind"] == "audit"


def test_audit_says_the_four_things_first(cli):
    said = cli("audit", *SUBJECT, "--eps", "0.05")
    first = said.out.splitlines()[:12]
    for label in (
        "How robust",
        "Can it be trusted",
        "Which class and pair suffer",
        "What next",
    ):
        assert any(line.startswith(label) for line in first), first


def test_runs_without_out_are_counted(cli, tmp_path):
    for _ in range(2):
        assert cli("audit", *SUBJECT, "--eps", "0.05").code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["audit-1", "audit-2"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--min-robust-accuracy", "0.05"), 0, ""),
        (("--min-robust-accuracy", "0.99"), 1, "gate failed: robust accuracy 0."),
        (("--max-class-gap", "0.01"), 1, "gate failed: class gap 0."),
        (("--model", "mine.py:blind", "--min-robust-accuracy", "0.99"), 4, "unsound"),
    ],
)
def test_gates(cli, options, code, said):
    made = cli("audit", *SUBJECT, "--eps", "0.05", *options)
    assert (made.code, said in made.err) == (code, True), made.err


@pytest.mark.parametrize("model", ["shifted", "dropout"])
def test_a_wrong_model_is_suspect(cli, model):
    options = ("--model", f"mine.py:{model}", "--expect-clean", ".92", "--json")
    made = cli("audit", *SUBJECT, *options, "--eps", "0.05")
    assert json.loads(made.out)["verdict"] == "suspect"


def test_attack_then_analyze_then_report(cli, tmp_path):
    options = ("--attack", "pgd", "--eps", "0.1", "--set", "step_size=eps/4", "--out", "run")
    made = cli("attack", *SUBJECT, *options, "--save-images", "--json")
    assert made.code == 0, made.err
    table = json.loads(made.out)
    record = Record.open(tmp_path / "run")
    assert record.robust_accuracy == table["robust_accuracy"] and record.images is not None
    found = cli("analyze", "run", "--json")
    assert json.loads(found.out)["attack_matrix"][0] == record.attack_matrix()[0].tolist()
    assert cli("report", "run").code == 0
    assert "unjudged" in (tmp_path / "run" / "report.html").read_text().lower()


def test_an_attack_goes_on_where_it_was(cli):
    command = ("attack", *SUBJECT, "--attack", "fgsm", "--eps", ".1", "--out", "run", "--json")
    first = cli(*command)
    again = cli(*command, "--resume")
    assert json.loads(again.out) == json.loads(first.out)
    other = cli(*command, "--seed", "1", "--resume")
    assert (other.code, "its seed is 0, now 1" in other.err) == (2, True)
    assert cli(*command, "--seed", "1", "--overwrite").code == 0


def test_the_norm_and_the_loss_reach_the_attack(cli):
    deepfool = cli("attack", *SUBJECT, "--attack", "deepfool", "--norm", "linf", "--out", "a")
    assert deepfool.code == 0 and "DeepFool(norm='linf'" in deepfool.err
    assert Record.open("a").settings["norm"] == "linf"
    dlr = cli("attack", *SUBJECT, "--attack", "fgsm", "--loss", "dlr", "--out", "b")
    assert dlr.code == 0 and Record.open("b").settings["loss"] == "dlr"
    lone = cli("attack", *SUBJECT, "--attack", "fgsm", "--norm", "l2", "--out", "c")
    assert lone.code == 2 and "norm 'l2' needs its own radius" in lone.err


def test_a_minimal_norm_attack_that_ran_out_says_so(cli):
    options = ("--attack", "carlini_wagner", "--set", "steps=1", "--set", "binary_steps=1")
    made = cli("attack", *SUBJECT, *options)
    assert made.code == 0 and "budget exhausted" in made.out


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("attacks", "pgd"),
        ("defenses", "symmetry_aware"),
        ("models", "resnet20"),
        ("data", "digits"),
    ],
)
def test_list(cli, what, name):
    assert name in cli("list", what).out
    assert name in json.loads(cli("list", what, "--json").out)


def test_train_then_audit_the_weights(cli, tmp_path):
    recipe = ("--set", "recipe.epochs=2", "--set", "recipe.batch_size=64")
    pairs = cli(
        "audit", "--model", "mine.py:model", "--data", "digits", "--split", "train",
        "--samples", "200", "--eps", ".1", "--out", "pairs",
    )  # fmt: skip
    assert pairs.code == 0, pairs.err
    made = cli(
        "train", "--model", "small_cnn", "--data", "digits", "--defense", "symmetry_aware",
        "--pairs", "pairs", "--eps", ".1", *recipe, "--set", "attack.steps=5",
        "--set", "zeta=0.2", "--out", "trained", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert len(json.loads(made.out)["history"]) == 2
    audited = cli(
        "audit", "--model", "small_cnn", "--weights", "trained", "--data", "digits",
        "--samples", "50", "--eps", ".1", "--json",
    )  # fmt: skip
    assert audited.code == 0, audited.err
    assert json.loads(audited.out)["clean_accuracy"] > 0.15


def test_pairs_of_the_test_split_are_refused(cli):
    cli("audit", *SUBJECT, "--eps", ".1", "--out", "pairs")
    made = cli(
        "train", "--model", "small_cnn", "--data", "digits", "--defense", "symmetry_aware",
        "--pairs", "pairs",
    )  # fmt: skip
    assert (made.code, "pairs come from --split train" in made.err) == (2, True)


def test_correct_fit_evaluate_apply(cli, tmp_path):
    for split, run in (("train", "fitting"), ("test", "pgd")):
        command = ("attack", *SUBJECT, "--split", split, "--attack", "pgd", "--eps", ".1")
        assert cli(*command, "--set", "step_size=eps/4", "--out", run).code == 0
    made = cli("correct", "fit", "fitting", "--set", "epochs=5", "--out", "c.safetensors")
    assert made.code == 0, made.err
    assert Corrector.load(tmp_path / "c.safetensors").ranks is None
    several = cli(
        "correct", "fit", "fitting", "pgd", "--set", "epochs=5", "--out", "u.safetensors"
    )
    assert several.code == 0, several.err
    assert Corrector.load(tmp_path / "u.safetensors").ranks == 128
    judged = cli(
        "correct", "evaluate", "c.safetensors", *SUBJECT, "--record", "pgd", "--eps", ".1",
        "--steps", "5", "--out", "judged", "--json",
    )  # fmt: skip
    assert judged.code == 0, judged.err
    table = json.loads(judged.out)
    assert table["gray_box"][0]["attack"] == "pgd" and table["adaptive"]
    np.save(tmp_path / "logits.npy", Record.open(tmp_path / "pgd").adversarial_logits.numpy())
    applied = cli("correct", "apply", "c.safetensors", "logits.npy", "--out", "out.npy")
    assert applied.code == 0, applied.err
    assert np.load(tmp_path / "out.npy").shape == (100, 10)
    audited = cli(
        "audit", *SUBJECT, "--corrector", "c.safetensors", "--eps", ".05", "--json"
    )  # fmt: skip
    assert audited.code == 0 and "c.safetensors" in json.loads(audited.out)["model"]


def test_every_command_has_help(cli):
    for command in ("audit", "attack", "analyze", "report", "list", "train", "correct", "demo"):
        made = cli(command, "--help")
        assert made.code == 0 and "--help" in made.out


def test_the_installed_command_starts():
    made = subprocess.run(
        [sys.executable, "-c", "from classward.cli.main import main; main(['--version'])"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0 and made.stdout.startswith("classward ")


def test_explain_says_what_a_corrector_listens_to(cli, tmp_path):
    for split, out in (("train", "fit"), ("test", "seen")):
        said = cli("attack", "--attack", "pgd", *SUBJECT, "--split", split, "--out", out)
        assert said.code == 0, said.err
    assert cli("correct", "fit", "fit", "--out", "c.safetensors", "--set", "epochs=5").code == 0
    said = cli("correct", "explain", "c.safetensors", "seen", "--out", "why")
    assert said.code == 0, said.err
    assert "permuted labels" in said.out and (tmp_path / "why" / "report.html").exists()
    again = cli("correct", "explain", "c.safetensors", "seen", "--out", "why")
    assert again.code == 2 and len(again.err.splitlines()) == 1
    wrong = cli("correct", "explain", "c.safetensors", "fit", "--by=-1", "--out", "other")
    assert wrong.code == 2 and not (tmp_path / "other").exists()


def test_correction_for_who_holds_only_logits(cli, tmp_path):
    random = np.random.default_rng(0)
    labels = np.arange(120) % 6
    clean = random.normal(size=(120, 6)) + 8 * np.eye(6)[labels]
    attacked = clean.copy()
    attacked[np.arange(120), (labels + 1) % 6] += 12  # the next class wins, the label is second
    np.savetxt(tmp_path / "clean.csv", clean, delimiter=",", header="a,b,c,d,e,f", comments="")
    np.save(tmp_path / "attacked.npy", attacked)
    np.savetxt(tmp_path / "labels.csv", labels, fmt="%d")
    given = ("--clean", "clean.csv", "--attacked", "attacked.npy", "--set", "epochs=60")
    for out, more in (("c.safetensors", ()), ("d.safetensors", ("--labels", "labels.csv"))):
        said = cli("correct", "fit", *given, *more, "--out", out)
        assert said.code == 0, said.err
        said = cli("correct", "apply", out, "attacked.npy", "--out", f"{out}.csv")
        assert said.code == 0, said.err
        corrected = np.loadtxt(tmp_path / f"{out}.csv", delimiter=",")
        assert (attacked.argmax(axis=1) == labels).mean() < 0.2
        assert (corrected.argmax(axis=1) == labels).mean() > 0.9
