"""No broken defense is called sound while its number is inflated; sound networks are."""

import copy

import pytest
import torch
from zoo import BROKEN, DoubleNormalisation, TrainMode

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.load import load_data
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.standard import Standard
from classward.evaluation.audit import audit
from classward.training.schedule import Recipe
from classward.training.train import train

EPS, SAMPLES = 0.15, 100
RECIPE = Recipe(epochs=15, learning_rate=0.05, schedule="one_cycle", validation=0)
INNER = PGD(ball=Linf(EPS), step_size=EPS / 4, steps=7)
REFUSED = ["NanLogits", "Softmax", "LoudSoftmax"]  # by `audit`, with exit code 2
FAST = ["Softmax", "Rounding", "NanGradient", "GradientNoise", "KWta", "Purify", "Noise"]


@pytest.fixture(scope="module")
def network():
    return trained(0)


def trained(seed, defense=None):
    data = load_data("digits", split="train")
    made = train(
        defense or Standard(), "small_cnn", data, attack=INNER, recipe=RECIPE, seed=seed
    )
    return made.last.eval()


def judged(model, clean=None):
    data = load_data("digits", split="test", samples=SAMPLES)
    return audit(model, data, eps=EPS, batch_size=SAMPLES, expect_clean=clean)


def check_flagged(network, broken, strength):
    bare = judged(network)
    model = broken(copy.deepcopy(network), strength)
    if broken is not TrainMode:
        model.eval()
    expected = bare.clean_accuracy if broken is DoubleNormalisation else None
    if broken.__name__ in REFUSED:
        with pytest.raises(InputError, match="probabilities|not finite"):
            judged(model)
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = judged(model, expected)
    inflated = found.robust_accuracy > bare.robust_accuracy + 0.02
    assert found.verdict != "sound" or not inflated, (found.robust_accuracy, found.checks)


@pytest.mark.parametrize("name", FAST)
def test_broken_defenses_are_flagged(network, name):
    check_flagged(network, {broken.__name__: broken for broken in BROKEN}[name], 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.11, 0.48, 0.93])
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_every_broken_defense_is_flagged_at_every_strength(network, broken, strength):
    check_flagged(network, broken, strength)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("defense", [Standard, AdversarialTraining])
def test_sound_networks_are_called_sound(seed, defense):
    found = judged(trained(seed, defense()))
    assert found.verdict == "sound", [check for check in found.checks if not check.passed]
