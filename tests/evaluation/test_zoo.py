"""No broken defense is called sound while its number is inflated; sound networks are."""

import copy
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from real_models import resnet, sequential
from zoo import BROKEN, DoubleNormalisation, TrainMode, middle, strengths

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
INFLATED = 0.02  # more robust accuracy than the network without the defense
DRAWN = [
    pytest.param(broken, strength, id=f"{broken.__name__}-{strength:.3g}")
    for broken in BROKEN
    for strength in strengths(broken)
]


@pytest.fixture(scope="module")
def digits():
    """An undefended network, its data, and what it keeps without a defense."""
    data = load_data("digits", split="test", samples=SAMPLES)
    return subject(trained(0), data, EPS)


@pytest.fixture
def cifar10(real):
    """The same of an adversarially trained one of CIFAR-10."""
    file = "models/cifar10_cnn_a_adv.safetensors"
    return cifar10_subject(real("cifar10.webp.zip"), real(file) / file)


@cache
def cifar10_subject(root, file):
    data = load_data("cifar10", samples="first:128", root=root)
    return subject(sequential(file), data, 8 / 255)


def subject(network, data, eps):
    bare = audit(network, data, eps=eps)
    return SimpleNamespace(network=network, data=data, eps=eps, bare=bare)


def trained(seed, defense=None):
    data = load_data("digits", split="train")
    made = train(
        defense or Standard(), "small_cnn", data, attack=INNER, recipe=RECIPE, seed=seed
    )
    return made.last.eval()


def check_flagged(subject, broken, strength):
    model = broken(copy.deepcopy(subject.network), strength)
    if broken is not TrainMode:
        model.eval()
    bare = subject.bare
    given = {"eps": subject.eps}
    if broken is DoubleNormalisation:
        given["expect_clean"] = bare.clean_accuracy
    if broken.__name__ in REFUSED:
        with pytest.raises(InputError, match="probabilities|not finite"):
            audit(model, subject.data, **given)
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = audit(model, subject.data, **given)
    inflated = found.robust_accuracy > bare.robust_accuracy + INFLATED
    assert found.verdict != "sound" or not inflated, (found.robust_accuracy, found.checks)


@pytest.mark.parametrize("name", FAST)
def test_broken_defenses_are_flagged(digits, name):
    broken = {broken.__name__: broken for broken in BROKEN}[name]
    check_flagged(digits, broken, middle(broken))


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "strength"), DRAWN)
def test_every_broken_defense_is_flagged_at_every_strength(digits, broken, strength):
    check_flagged(digits, broken, strength)


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "strength"), DRAWN)
def test_every_broken_defense_of_a_real_network_is_flagged(cifar10, broken, strength):
    check_flagged(cifar10, broken, strength)


def check_sound(model, data, eps, seed=0):
    found = audit(model, data, eps=eps, seed=seed)
    assert found.verdict == "sound", [check for check in found.checks if not check.passed]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("defense", [Standard, AdversarialTraining])
def test_sound_networks_are_called_sound(seed, defense):
    data = load_data("digits", split="test", samples=SAMPLES)
    check_sound(trained(seed, defense()), data, EPS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "made_by", "eps"),
    [
        ("cifar10_small_lp8", sequential, 8 / 255),
        ("cifar10_cnn_a_adv", sequential, 8 / 255),
        ("cifar10_resnet2b_adv", resnet, 4 / 255),
        ("mnist_small_lp03", sequential, 0.3),
    ],
)
def test_sound_real_networks_are_called_sound(real, name, made_by, eps, seed):
    data_set, file = name.partition("_")[0], f"models/{name}.safetensors"
    root = real(f"{data_set}.webp.zip")
    data = load_data(data_set, samples="first:200", root=root)
    check_sound(made_by(real(file) / file), data, eps, seed)
