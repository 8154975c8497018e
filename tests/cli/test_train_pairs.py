"""`classward train` with class pairs: all of them, found in training, beside any defense."""

import json

import pytest

TRAIN = ("train", "--model", "small_cnn", "--data", "digits", "--samples", "60", "--eps", ".1")
SHORT = ("--set", "recipe.epochs=2", "--set", "recipe.batch_size=30", "--set", "attack.steps=5")


@pytest.fixture
def audited(cli):
    made = cli(
        "audit", "--model", "mine.py:model", "--data", "digits", "--split", "train",
        "--samples", "200", "--eps", ".1", "--out", "pairs",
    )  # fmt: skip
    assert made.code == 0, made.err


def settings(folder):
    return json.loads((folder / "manifest.json").read_text())["settings"]


@pytest.mark.usefixtures("audited")
def test_the_inter_class_term_joins_any_defense(cli, tmp_path):
    made = cli(
        *TRAIN, *SHORT, "--defense", "trades", "--pairs", "pairs", "--set", "beta=2",
        "--set", "inter_class.alpha=3", "--out", "joined", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    losses = json.loads(made.out)["history"][-1]["loss"]
    assert sorted(losses) == ["defense.cross_entropy", "defense.divergence", "inter"]
    shown = settings(tmp_path / "joined")["defense"]
    assert shown.startswith("InterClass(defense=Trades(attack=None, beta=2.0), pairs=[(")
    assert "alpha=3.0" in shown


@pytest.mark.usefixtures("audited")
def test_all_pairs_are_more_than_the_mutual_ones(cli, tmp_path):
    for out, options in (("mutual", ()), ("every", ("--all-pairs",))):
        made = cli(
            *TRAIN, *SHORT, "--defense", "symmetry_aware", "--pairs", "pairs", *options,
            "--set", "zeta=0.001", "--out", out,
        )  # fmt: skip
        assert made.code == 0, made.err
    counts = [settings(tmp_path / out)["defense"].count("(") for out in ("mutual", "every")]
    saved = json.loads((tmp_path / "pairs" / "result.json").read_text())
    matrix, tolerance = saved["attack_matrix"], saved["tolerance"]
    wanted = [
        (i, j)
        for i in range(10)
        for j in range(i + 1, 10)
        if abs(matrix[i][j] - matrix[j][i]) < tolerance
    ]
    assert f"pairs={wanted}" in settings(tmp_path / "every")["defense"]
    assert counts[1] > counts[0]


@pytest.mark.usefixtures("audited")
def test_all_pairs_that_cannot_be_that_far_apart_are_refused(cli):
    made = cli(
        *TRAIN, *SHORT, "--defense", "symmetry_aware", "--pairs", "pairs", "--all-pairs",
        "--set", "zeta=0.5",
    )  # fmt: skip
    assert (made.code, "lower zeta or leave pairs out" in made.err) == (2, True), made.err


def test_pairs_are_found_in_training(cli):
    made = cli(
        *TRAIN, *SHORT, "--defense", "symmetry_aware", "--set", "pairs=warm_up",
        "--set", "warm_up_epochs=1", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    first, second = json.loads(made.out)["history"]
    assert first["pairs"] == second["pairs"]


def test_a_joined_training_goes_on(cli):
    arguments = (
        *TRAIN, *SHORT, "--defense", "standard", "--set", "inter_class.pairs=[[3, 9]]",
        "--out", "joined", "--json",
    )  # fmt: skip
    made = cli(*arguments)
    assert made.code == 0, made.err
    again = cli(*arguments, "--resume")
    assert again.code == 0, again.err
    assert json.loads(again.out)["history"] == json.loads(made.out)["history"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--defense", "trades", "--set", "inter_class.alpha=1"), "inter_class needs --pairs"),
        (("--defense", "inter_class"), "inter_class joins another"),
        (("--defense", "symmetry_aware", "--all-pairs"), "--all-pairs needs --pairs"),
        (("--defense", "trades", "--set", "inter_clas.alpha=1"), "inter_class.*, recipe.*"),
        (
            (
                "--defense",
                "symmetry_aware",
                "--set",
                "pairs=[[1, 2]]",
                "--set",
                "compensation=0",
            ),
            "with compensation 0: the least for zeta=0.1 and 1 pairs is 0.00245863",
        ),
        (
            ("--defense", "max_mahalanobis", "--set", "inter_class.pairs=[]"),
            "prototypes of MaxMahalanobis are fixed",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(cli, options, said):
    made = cli(*TRAIN, *SHORT, *options)
    assert (made.code, said in made.err) == (2, True), made.err
    assert "Traceback" not in made.err
