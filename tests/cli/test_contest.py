"""`classward contest`, end to end on the digits."""

import json

import pytest
import torch

from classward.core.errors import InputError

SMALL = (
    "contest", "--model", "small_cnn", "--data", "digits", "--samples", "first:40",
    "--eps", ".2", "--seeds", "2", "--steps", "3", "--suite-samples", "10",
    "--train-samples", "first:100",
    "--set", "recipe.epochs=1", "--set", "attack.steps=2",
)  # fmt: skip


def test_trains_judges_and_goes_on(cli, tmp_path):
    asked = ("--defense", "adversarial_training", "--defense", "trades:beta=1")
    said = cli(*SMALL, *asked, "--defense", "trades:beta=2", "--out", "c")
    assert said.code == 0, said.err
    assert "Which stands best" in said.out and "report: c/report.html" in said.err
    result = json.loads((tmp_path / "c/result.json").read_text())
    names = [row["name"] for row in result["defenses"]]
    assert names == ["adversarial_training", "trades", "trades:beta=2"]
    assert [row["defense"] for row in result["defenses"][1:]] == [
        "Trades(attack=None, beta=1.0)",
        "Trades(attack=None, beta=2.0)",
    ]
    assert "beta=2" in (tmp_path / "c/report.html").read_text()
    before = (tmp_path / "c/result.json").read_bytes()
    more = (*asked, "--defense", "trades:beta=2", "--out", "c", "--resume")
    assert cli(*SMALL, *more).code == 0
    assert (tmp_path / "c/result.json").read_bytes() == before


def test_options_may_be_lists(cli, tmp_path):
    asked = "margin_separation:pairs=[[3, 9], [1, 8]],zeta=0.2"
    said = cli(*SMALL, "--defense", asked, "--seeds", "1", "--out", "c")
    assert said.code == 0, said.err
    (row,) = json.loads((tmp_path / "c/result.json").read_text())["defenses"]
    assert "pairs=[(3, 9), (1, 8)], zeta=0.2" in row["defense"]


def test_a_defense_may_have_its_own_recipe(cli, tmp_path):
    asked = ("trades", "trades:recipe.learning_rate=0", "trades:recipe.learning_rate=.05")
    told = cli(*SMALL, "--defense", asked[1], "--out", "d")
    assert told.code == 2 and "learning_rate" in told.err
    named = [part for name in (asked[0], asked[2]) for part in ("--defense", name)]
    said = cli(*SMALL, *named, "--seeds", "1", "--out", "c")
    assert said.code == 0, said.err
    first, second = json.loads((tmp_path / "c/result.json").read_text())["defenses"]
    assert first["name"] == "trades" and "recipe" not in first["defense"].lower()
    assert "learning_rate=0.05" in second["defense"] and "epochs=1" in second["defense"]
    kept = [
        json.loads((tmp_path / f"c/defense-{number}-seed-0/manifest.json").read_text())
        for number in (1, 2)
    ]
    rates = [manifest["settings"]["learning_rate"] for manifest in kept]
    assert rates == [0.1, 0.05]


def test_judged_training_images_are_not_trained_on(cli, monkeypatch):
    asked = []

    def judge(contest, *_, **__):
        asked.append(contest)
        raise InputError("enough")

    monkeypatch.setattr("classward.cli.contest.defense_contest", judge)
    few = SMALL[: SMALL.index("--train-samples")]
    assert cli(*few, "--defense", "trades", "--split", "train", "--out", "c").code == 2
    (contest,) = asked
    ids = torch.cat([contest.judging.ids, contest.training.ids])
    assert len(contest.judging) == 40 and len(ids) == len(ids.unique()) == 1200
    without = ("contest", "--data", "digits", "--model", "small_cnn", "--defense", "trades")
    told = cli(*without, "--split", "train", "--out", "d")
    assert (told.code, "give --samples" in told.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--defense", "trade"), "unknown defense 'trade', the nearest is 'trades'"),
        (("--defense", "trades:gamma=1"), "unknown option 'gamma'"),
        (("--defense", "trades", "--defense", "trades"), "named twice"),
        (("--defense", "trades:recipe.epochs=9"), "epochs that cost the same"),
        (("--defense", "trades:recipe.rate=1"), "unknown option 'rate'"),
        (("--defense", "trades", "--eps", "0"), "an attack needs room"),
        (("--defense", "trades", "--set", "beta=2"), "options of a defense follow its name"),
        (("--defense", "trades", "--model", "mine.py:model"), "trains a built-in network"),
        (("--defense", "trades", "--weights", "w"), "leave --weights out"),
        (("--defense", "trades", "--mean", "0.5"), "trains bare networks"),
    ],
)
def test_what_is_unfit_is_refused_before_anything_is_made(cli, tmp_path, options, said):
    told = cli(*SMALL, "--out", "c", *options)
    assert told.code == 2 and said in told.err, told.err
    assert not (tmp_path / "c").exists()
