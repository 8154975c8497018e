"""Pairs that a training finds itself: logged, kept, and the same after a stop."""

from contextlib import suppress

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.data.split import Split
from classward.defenses.inter_class import InterClass
from classward.defenses.symmetry_aware import SymmetryAware
from classward.defenses.trades import Trades
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.schedule import Recipe
from classward.training.train import train

ATTACK = PGD(ball=Linf(0.2), step_size=0.1, steps=2)
RECIPE = Recipe(epochs=4, batch_size=8, validation=0, warm_up=0.0, checkpoint_every=1)
STEPS = 4  # of an epoch
DEFENSES = {
    "symmetry_aware": SymmetryAware(pairs="warm_up", warm_up_epochs=2),
    "inter_class": InterClass(defense=Trades(), pairs="warm_up", warm_up_epochs=2),
}


def run(defense, out=None, **options):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(32, 1, 4, 4, generator=generator)
    data = Split(images, images.flatten(1)[:, :4].argmax(1), ["a", "b", "c", "d"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU()]
        network = Network(nn.Sequential(*layers), LinearHead(12, 4))
    return train(defense, network, data, attack=ATTACK, recipe=RECIPE, out=out, **options)


def stopped(defense, out, after):
    def stop(done, _):
        if done == after:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        run(defense, out, progress=stop)


@pytest.mark.parametrize("defense", DEFENSES.values(), ids=DEFENSES)
@pytest.mark.parametrize("after", [STEPS + 2, 2 * STEPS, 2 * STEPS + 1, 3 * STEPS + 2])
def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(
    tmp_path, defense, after
):
    whole = run(defense, tmp_path / "whole")
    stopped(defense, tmp_path / "stopped", after)
    resumed = run(defense, tmp_path / "stopped", resume=True)
    assert resumed.history == whole.history
    pairs = zip(
        resumed.last.state_dict().values(), whole.last.state_dict().values(), strict=True
    )
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("defense", DEFENSES.values(), ids=DEFENSES)
def test_pairs_are_logged_and_fixed_after_the_warm_up(defense):
    found = [row["pairs"] for row in run(defense).history]
    assert found[1] == found[2] == found[3] != []
    assert all(0 <= i < j < 4 for i, j in found[3])


def test_what_is_found_changes_what_is_learned():
    first, second = (
        run(SymmetryAware(pairs="warm_up", zeta=zeta, warm_up_epochs=2)) for zeta in (0.0, 0.3)
    )
    losses = [[row["loss"] for row in made.history] for made in (first, second)]
    assert losses[0][:2] == losses[1][:2] and losses[0][2] != losses[1][2]


def test_pairs_that_are_given_are_not_logged():
    assert "pairs" not in run(SymmetryAware(pairs=[(0, 1)])).history[0]
