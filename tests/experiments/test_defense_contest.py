"""A small contest on digits: equal costs, nothing done twice, and what it refuses."""

import pytest

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.load import load_data
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.pcl import Pcl
from classward.defenses.standard import Standard
from classward.defenses.symmetry_aware import SymmetryAware
from classward.defenses.trades import Trades
from classward.evaluation.suites import aa_lite
from classward.experiments import defense_contest as module
from classward.experiments.defense_contest import Contest, defense_contest, passes
from classward.training.schedule import Recipe


def contest(**options):
    given = {
        "defenses": {"adversarial_training": AdversarialTraining(), "standard": Standard()},
        "model": "small_cnn",
        "training": load_data("digits", split="train", samples="first:120"),
        "judging": load_data("digits", split="test", samples="first:40"),
        "attack": PGD(ball=Linf(0.2), step_size=0.1, steps=3),
        "recipe": Recipe(epochs=2, batch_size=32, validation=20),
        "eps": 0.2,
        "norm": "linf",
        "steps": 5,
        "suite": aa_lite(Linf(0.2), steps=5, target_classes=2, queries=20),
        "suite_samples": 20,
        "seeds": [0, 1],
        "run": {"batch_size": 128, "device": "cpu", "precision": "exact"},
    }
    return Contest(**(given | options))


@pytest.mark.parametrize(
    ("defense", "cost"),
    [
        (Standard(), 3),  # forward, backward to the weights
        (AdversarialTraining(), 3 * 2 + 3),
        (Trades(), 3 * 2 + 1 + 2 * 3),  # and the clean prediction, once
        (Pcl(), 3 * 2 + 2 * 3),
        (SymmetryAware(pairs=[(3, 9)]), 3 * 2 + 3),  # not the clean first epoch
    ],
)
def test_costs_are_the_passes_of_a_step(defense, cost):
    assert passes(defense, contest()) == cost
    assert passes(defense, contest(training=contest().training.take("first:7"))) == cost


def test_equal_costs_mean_more_epochs_of_cheaper_ones(tmp_path):
    told = defense_contest(contest(), tmp_path / "c")
    first, standard = told.defenses
    assert (first.epochs, standard.epochs) == (2, 6)
    assert (first.passes, standard.passes) == (9, 3)
    assert first.accuracy["suite"].samples == 20 and first.accuracy["clean"].samples == 40
    assert standard.accuracy["clean"].mean > standard.accuracy["PGD-5"].mean
    for row in told.defenses:
        assert row.accuracy["FGSM"].mean <= row.accuracy["clean"].mean


def test_nothing_is_done_twice(tmp_path, monkeypatch):
    before = defense_contest(contest(), tmp_path / "c")
    (tmp_path / "c" / "defense-2-seed-1.json").unlink()
    trained = []
    train = module.train

    def counted(*given, **options):
        trained.append((options["seed"], options["resume"]))
        return train(*given, **options)

    monkeypatch.setattr(module, "train", counted)
    assert defense_contest(contest(), tmp_path / "c", resume=True) == before
    assert trained == [(1, True)]


def test_another_contest_does_not_go_on_with_it(tmp_path):
    defense_contest(contest(seeds=[0]), tmp_path / "c")
    with pytest.raises(InputError, match="its seeds is"):
        defense_contest(contest(), tmp_path / "c", resume=True)


def test_defenses_are_left_as_they_were(tmp_path):
    asked = contest(seeds=[0])
    defense_contest(asked, tmp_path / "c")
    assert all(defense.attack is None for defense in asked.defenses.values())
