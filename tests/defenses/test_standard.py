import pytest
import torch
from torch import nn

from classward.core.randomness import SampleRandom
from classward.defenses.base import Batch
from classward.defenses.standard import Standard
from classward.models.network import Network


@pytest.fixture
def network():
    network = Network(nn.Flatten(), Standard().head(4, 3))
    network.head.linear.weight.data = torch.eye(3, 4)
    network.head.linear.bias.data = torch.zeros(3)
    return network


def batch(adversarial):
    images = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0, 0]]).view(2, 1, 2, 2)
    ids = torch.tensor([0, 1])
    return Batch(
        images=images,
        labels=ids,
        ids=ids,
        adversarial=images if adversarial is None else adversarial,
        epoch=0,
        step=0,
        rng=SampleRandom(0, "train", ids),
    )


def test_is_the_mean_cross_entropy_by_hand(network):
    # Logits (1, 0, 0) and (0, .5, 0): -log softmax of the label, 0.55144 and 0.79438 nats.
    loss = Standard().loss(network, batch(None))["cross_entropy"]
    assert loss.item() == pytest.approx((0.551445 + 0.794377) / 2, abs=1e-5)


def test_never_looks_at_adversarial_images(network):
    clean, spoiled = (batch(a) for a in (None, torch.full((2, 1, 2, 2), torch.nan)))
    defense = Standard()
    assert defense.loss(network, spoiled) == defense.loss(network, clean)
    assert defense.perturb(network, clean) is clean.images
