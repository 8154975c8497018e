"""Planted examples are found on honest gradients and missed on masked ones."""

import torch
from torch import nn

from classward.core.balls import L2, Linf
from classward.core.randomness import SampleRandom
from classward.evaluation.planted import plant_and_search
from classward.evaluation.watched import Watched

IMAGES = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2


def searched(how, ball):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 3))
    model = Watched(lambda images: how(network, images))
    return plant_and_search(model, IMAGES, ball, SampleRandom(0, "test", torch.arange(20)))


def test_all_are_found_on_a_smooth_network():
    for ball in (Linf(0.1), L2(0.3)):
        result = searched(lambda network, images: network(images), ball)
        assert result.planted.all()
        assert result.found.all()


def test_few_are_found_without_a_gradient():
    result = searched(lambda network, images: network((images * 50).round() / 50), Linf(0.1))
    assert result.planted.sum() >= 15
    assert result.found.sum() <= 0.5 * result.planted.sum()


def test_nothing_can_be_planted_on_a_constant_network():
    result = searched(lambda network, images: network(images * 0), Linf(0.1))
    assert not result.planted.any()
    assert not result.found.any()
