"""`classward train`: recipes, attacks and what it says at the end."""

import json
import sys

TRAIN = (
    "train", "--model", "small_cnn", "--data", "digits", "--samples", "60",
    "--defense", "adversarial_training", "--eps", "0.1", "--set", "recipe.batch_size=30",
    "--set", "recipe.augment=false", "--set", "recipe.epochs=2",
)  # fmt: skip


def test_says_best_and_last_side_by_side(cli):
    one_step = ("--set", "attack.name=rfgsm", "--recipe", "trades")
    made = cli(*TRAIN, *one_step, "--out", "run", "--json")
    assert made.code == 0, made.err
    told = json.loads(made.out)
    assert told["best"].keys() == told["last"].keys() == {"clean_accuracy", "robust_accuracy"}
    row = told["history"][told["best_epoch"] - 1]
    assert told["best"]["robust_accuracy"] == row["robust_accuracy"]
    assert "training_attack_accuracy" in row
    assert "drops=(0.98" in made.err and "RFGSM" in made.err


def test_says_them_in_words(cli):
    made = cli(*TRAIN, "--out", "run")
    assert made.code == 0, made.err
    best, last, lost = made.out.splitlines()
    assert best.startswith("best (epoch ") and last.startswith("last (epoch 2): clean accuracy")
    assert lost.startswith("robust overfitting, best minus last: ")


def test_without_images_held_out_there_is_nothing_to_compare(cli):
    made = cli(*TRAIN, "--set", "recipe.validation=0", "--out", "run")
    assert made.out.strip() == "2 epochs, no images held out"


def test_unknown_recipe_is_bad_input(cli):
    made = cli(*TRAIN, "--recipe", "trade")
    assert made.code == 2 and "unknown recipe 'trade'" in made.err


def test_tensorboard_that_is_absent_is_bad_input(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    made = cli(*TRAIN, "--tensorboard", "--out", "run")
    assert made.code == 2 and "classward[tensorboard]" in made.err
