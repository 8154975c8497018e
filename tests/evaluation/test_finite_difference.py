"""Gradients that lie are told from gradients that do not."""

import pytest
import torch
from torch import nn

from classward.core.balls import Linf
from classward.core.randomness import SampleRandom
from classward.evaluation.finite_difference import disagreement
from classward.evaluation.watched import Watched

IMAGES = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 3


def measured(how):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 3))
    rng = SampleRandom(0, "test", torch.arange(20))
    model = Watched(lambda images: how(network, images))
    return disagreement(model, IMAGES, LABELS, Linf(0.1), rng).median().item()


def test_a_smooth_network_agrees():
    assert measured(lambda network, images: network(images)) < 0.01


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (lambda network, images: network(images.detach()) + 0 * images.sum(), 1),
        (lambda network, images: network(images.detach()), 1),
        (lambda network, images: network(2 * images.detach() - images), 2),  # turned round
        (lambda network, images: network(images) * torch.where(images.sum() > 1e9, 0, 1), 0),
        (lambda network, images: network(images + 0 * images.sqrt() * float("nan")), 2),
    ],
)
def test_the_error_of_gradients_that_lie(how, error):
    assert measured(how) == pytest.approx(error, abs=0.02)


def test_a_constant_network_is_not_accused():
    assert measured(lambda network, images: network(images * 0)) == 0
