"""`classward train` on narrower networks and on models from outside."""

import json

import pytest

from classward.models.load import load_model

QUICK = (
    "--data", "digits", "--samples", "40", "--eps", ".1", "--set", "recipe.epochs=1",
    "--set", "recipe.batch_size=20", "--set", "attack.steps=4", "--json",
)  # fmt: skip


@pytest.fixture
def pairs(cli):
    """An audit of the training split, for the class pairs."""
    made = cli(
        "audit", "--model", "mine.py:model", "--data", "digits", "--split", "train",
        "--samples", "50", "--eps", ".1", "--out", "pairs",
    )  # fmt: skip
    assert made.code == 0, made.err
    return ("--pairs", "pairs")


def test_a_narrower_model_is_trained_and_found_again(cli, tmp_path):
    made = cli(
        "train", "--model", "resnet18", "--defense", "standard", *QUICK,
        "--set", "model.width=0.1", "--mean", ".3", "--std", ".5", "--out", "narrow",
    )  # fmt: skip
    assert made.code == 0, made.err
    settings = json.loads((tmp_path / "narrow" / "manifest.json").read_text())["settings"]
    assert settings["layout"] == {"width": 0.1, "mean": [0.3], "std": [0.5]}
    network = load_model("resnet18", weights=tmp_path / "narrow")
    assert (network.width, network.features.conv1.out_channels) == (0.1, 6)
    assert network.features[0].mean.tolist() == pytest.approx([0.3])
    seen = cli(
        "attack", "--attack", "fgsm", "--model", "resnet18", "--weights", "narrow",
        "--data", "digits", "--samples", "10", "--eps", ".1",
    )  # fmt: skip
    assert seen.code == 0, seen.err


@pytest.mark.parametrize("defense", ["adversarial_training", "symmetry_aware"])
def test_a_model_of_a_file_is_trained_with_the_head_of_the_defense(
    cli, tmp_path, request, defense
):
    given = request.getfixturevalue("pairs") if defense == "symmetry_aware" else ()
    made = cli(
        "train", "--model", "mine.py:model", "--defense", defense, *given, *QUICK,
        "--out", "trained",
    )  # fmt: skip
    assert made.code == 0, made.err
    network = load_model("mine.py:model", weights=tmp_path / "trained")
    wanted = "UnitWeightHead" if given else "LinearHead"
    assert type(network.head).__name__ == wanted
    seen = cli(
        "attack", "--attack", "fgsm", "--model", "mine.py:model", "--weights", "trained",
        "--data", "digits", "--samples", "10", "--eps", ".1",
    )  # fmt: skip
    assert seen.code == 0, seen.err
    again = cli(
        "train", "--model", "mine.py:model", "--weights", "trained", "--defense", defense,
        *given, *QUICK, "--out", "further",
    )  # fmt: skip
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("small_cnn", "--set", "model.depth=3"), "--set model.depth: of a model, width can"),
        (("small_cnn", "--set", "model.width=wide"), "model.width=wide: expected a number"),
        (("small_cnn", "--set", "model.width=0"), "width must be in 0.01..4, got 0.0"),
        (("small_cnn", "--set", "net.width=1"), "attack.*, model.*"),
        (("mine.py:model", "--set", "model.width=0.5"), "layers of its own: leave width out"),
        (("mine.py:probabilities",), "mine.py:probabilities has no last linear layer"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(cli, given, said):
    made = cli("train", "--defense", "standard", "--model", *given, *QUICK)
    assert (made.code, said in made.err) == (2, True), made.err
