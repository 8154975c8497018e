"""`correct explain` and `correct detect` from attack to page."""

import json

import pytest

SUBJECT = ("--model", "mine.py:model", "--data", "digits")


@pytest.fixture
def runs(cli, mine):
    for split, out in (("train", "fit"), ("test", "seen"), ("test", "again")):
        said = cli(
            "attack", "--attack", "pgd", *SUBJECT, "--samples", "100", "--split", split,
            "--eps", ".15", "--set", "step_size=eps/4", "--save-images", "--out", out,
        )  # fmt: skip
        assert said.code == 0, said.err
    made = cli("correct", "fit", "fit", "--out", "c.safetensors", "--set", "epochs=5")
    assert made.code == 0, made.err


def test_one_image_and_an_image_of_each_class(cli, runs, tmp_path):
    said = cli(
        "correct", "explain", "c.safetensors", "seen", "again", "--sample", "4",
        "--data", "digits", "--out", "why", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["instance"]["sample"] == 4 and told["instance"]["overlap"][0] == [1.0, 1.0]
    assert told["images"][told["attacks"][0]["joined"]["supporting"][0]].startswith(
        "data:image"
    )
    page = (tmp_path / "why" / "report.html").read_text()
    assert "Image 4, of class" in page and "data:image/png" in page
    wrong = cli(
        "correct", "explain", "c.safetensors", "seen", "--sample", "99999", "--out", "no"
    )
    assert wrong.code == 2 and "99999" in wrong.err and not (tmp_path / "no").exists()


def test_detectors_under_attack(cli, runs, tmp_path):
    said = cli(
        "correct", "detect", "seen", "--fit", "fit", "--corrector", "c.safetensors", *SUBJECT,
        "--adaptive", "--eps", ".15", "--steps", "5", "--out", "found", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["detectors"][-3:] == ["moved", "overruled", "noise"]
    assert all(cell is not None for cell in told["cells"][0])
    assert told["under_attack"]["samples"] <= 100
    assert set(told["under_attack"]["detectors"]) == set(told["detectors"])
    assert "What evades them" in (tmp_path / "found" / "report.html").read_text()
    plain = cli("correct", "detect", "seen", "--fit", "fit", "--out", "plain", "--json")
    assert plain.code == 0, plain.err
    shared = len(json.loads(plain.out)["detectors"])
    assert json.loads(plain.out)["cells"][0] == told["cells"][0][:shared]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--adaptive",), "--model and --data"),
        (("--model", "mine.py:model"), "come together"),
        ((*SUBJECT, "--adaptive", "--eps", "0"), "eps above 0"),
        (("--corrector", "none.safetensors"), "none.safetensors"),
    ],
)
def test_refused(cli, runs, tmp_path, more, said):
    made = cli("correct", "detect", "seen", "--fit", "fit", *more, "--out", "found")
    assert made.code == 2 and said in made.err and len(made.err.splitlines()) == 1
    assert not (tmp_path / "found").exists()
