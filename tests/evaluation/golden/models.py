"""The five classifiers of the AutoAttack parity test, for `load_model("models.py:NAME")`."""

from torch import nn

from classward import Linf, Recipe, load_data, load_model, train
from classward.attacks.pgd import PGD
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.standard import Standard
from classward.models.normalize import Normalize
from classward.models.weights import fill, read_weights

RECIPE = Recipe(epochs=15, learning_rate=0.05, schedule="one_cycle", validation=100)
ATTACK = PGD(ball=Linf(0.1), step_size=0.04, steps=5)


def digits_standard():
    """Trained on clean digits."""
    return train(
        Standard(), "small_cnn", load_data("digits", split="train"), recipe=RECIPE
    ).last


def digits_adversarial():
    """Trained on PGD's digits at l-inf 0.1."""
    defense = AdversarialTraining(attack=ATTACK)
    return train(defense, "small_cnn", load_data("digits", split="train"), recipe=RECIPE).last


def cifar10_small_lp8(weights):
    """Provably robust at 2/255, and barely less at 8/255."""
    return _small(weights)


def cifar10_cnn_a_adv4(weights):
    """Adversarially trained."""
    return _small(weights)


def cifar10_resnet20(weights):
    """Trained on clean images."""
    return load_model("resnet20", weights=weights)


def _small(weights):
    network = nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2048, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    fill(network, read_weights(weights))
    normalise = Normalize([0.485, 0.456, 0.406], [0.225, 0.225, 0.225])
    return nn.Sequential(normalise, network).eval()
