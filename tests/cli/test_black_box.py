"""Black-box attacks from the command line: queries are shown, surrogates are named."""

import json

import pytest

from classward.evaluation.judge import model_digest
from classward.models.external import load_external
from classward.records.record import Record

SUBJECT = ("--model", "mine.py:model", "--data", "digits", "--samples", "40")
SMALL = ("--set", "queries=400", "--out", "run", "--json")


@pytest.mark.parametrize(
    "options",
    [
        ("nes", "--set", "population=20"),
        ("nattack", "--set", "population=40", "--set", "space=pixel"),
        ("simba", "--set", "space=dct", "--set", "frequencies=1/2"),
        ("subspace", "--surrogate", "mine.py:shifted"),
    ],
)
def test_a_black_box_attack_says_what_it_spent(cli, tmp_path, options):
    made = cli("attack", *SUBJECT, "--attack", *options, "--eps", "0.2", *SMALL)
    assert made.code == 0, made.err
    table, record = json.loads(made.out), Record.open(tmp_path / "run")
    assert table["robust_accuracy"] < table["clean_accuracy"]
    said = table["queries"]
    assert 1 < said["median_to_success"] <= said["largest_spent"] <= 400
    rates = list(said["success_rate_over_correct"].values())
    assert rates == sorted(rates) and rates[-1] == table["success_rate_over_correct"]
    assert record.passes.forward == int(record.queries.sum()) + 2 * 40
    assert table["passes"]["backward"] == 0


def test_the_text_says_it_too(cli):
    made = cli("attack", *SUBJECT, "--attack", "simba", "--eps", "0.2", "--set", "queries=120")
    assert made.code == 0, made.err
    assert "queries          to success: median " in made.out
    assert "of those right before: 0.0% in 10, " in made.out or "% in 10, " in made.out


def test_every_surrogate_is_recorded_by_its_digest(cli, tmp_path):
    two = ("--surrogate", "mine.py:shifted", "--surrogate", "mine.py:model")
    made = cli("attack", *SUBJECT, "--attack", "subspace", "--eps", "0.1", *two, *SMALL)
    assert made.code == 0, made.err
    digests = [
        model_digest(load_external(f"{tmp_path}/mine.py:{name}", classes=10))
        for name in ("shifted", "model")
    ]
    assert Record.open(tmp_path / "run").settings["ingredients"] == {
        "surrogates": ", ".join(digests)
    }
    other = cli(
        "attack", *SUBJECT, "--attack", "subspace", "--eps", "0.1", *two[:2], *SMALL, "--resume"
    )
    assert (other.code, "ingredients" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("subspace",), "needs a network that leads it: --surrogate"),
        (("nes", "--surrogate", "mine.py:model"), "nes takes no --surrogate"),
        (("subspace", "--surrogate", "resnet20"), "--surrogate resnet20 is untrained: give"),
        (("subspace", "--surrogate", "resnet20=no.safetensors"), "no.safetensors"),
        (("subspace", "--surrogate", "mine.py:three_classes"), "3 logits, the data have 10"),
        (("nes", "--set", "population=7"), "multiple of 2"),
        (("nattack", "--set", "queries=50"), "50 queries are too few"),
        (("simba", "--set", "frequencies=0.5"), "pixels have no frequencies"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(cli, options, said):
    made = cli("attack", *SUBJECT, "--attack", *options, "--eps", "0.1")
    assert made.code == 2 and said in made.err
    assert "Traceback" not in made.err
