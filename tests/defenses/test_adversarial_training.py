import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.randomness import SampleRandom
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Batch
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.step import Step

ATTACK = PGD(ball=Linf(0.05), step_size=0.0125, steps=20)


def batch(images, labels):
    ids = torch.arange(len(images))
    return Batch(
        images=images,
        labels=labels,
        ids=ids,
        adversarial=images,
        epoch=0,
        step=0,
        rng=SampleRandom(0, "train", ids),
    )


def test_loss_on_the_known_worst_image_of_a_linear_model(linear4):
    network = Network(nn.Flatten(), LinearHead(4, 3))
    network.head.linear = linear4.model[1]
    defense = AdversarialTraining(attack=ATTACK)
    terms = Step(network, defense)(batch(linear4.images, linear4.labels))
    # The worst image within 0.05 has logits (0.625, 0.575, -0.475).
    assert terms["cross_entropy"].item() == pytest.approx(0.8259723, abs=1e-5)


def test_never_looks_at_clean_images():
    network = Network(nn.Flatten(), LinearHead(4, 3))
    defense = AdversarialTraining(attack=ATTACK)
    both = batch(torch.rand(3, 1, 2, 2), torch.arange(3))
    before = defense.loss(network, both)["cross_entropy"].item()
    both.images = torch.full_like(both.images, torch.nan)
    assert defense.loss(network, both)["cross_entropy"].item() == before


def test_unknown_option_is_refused_in_one_line():
    with pytest.raises(ValueError, match="AdversarialTraining: unknown option 'atack'"):
        AdversarialTraining(atack=ATTACK)
