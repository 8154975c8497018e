"""Zero gradients: hidden ones are told from constant networks."""

import pytest
import torch
from torch import nn

from classward.core.balls import Linf
from classward.core.losses import cross_entropy, margin
from classward.data.split import Split
from classward.evaluation.blind import blind_share

BALL = Linf(0.1)


@pytest.fixture
def data():
    images = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    return Split(images, torch.arange(40) % 3)


def line():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


class Rounded(nn.Module):
    """Pixels in steps of 0.1, through which no gradient comes."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network((images * 10).round() / 10)


def test_a_network_that_is_not_flat_hides_nothing(data):
    assert blind_share(line(), data, margin, BALL) == 0


def test_a_rounded_input_hides_every_gradient(data):
    assert blind_share(Rounded(line()), data, margin, BALL) == 1


def test_saturated_cross_entropy_is_blind_and_the_margin_is_not(data):
    loud = line()
    loud[1].weight.data *= 1e5
    assert blind_share(loud, data, cross_entropy, BALL) > 0.1
    assert blind_share(loud, data, margin, BALL) == 0


def test_a_network_with_every_unit_off_is_constant_and_hides_nothing(data):
    off = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 3))
    off[1].bias.data -= 100
    assert blind_share(off, data, margin, BALL) == 0


def test_a_gradient_that_is_zero_only_off_the_clean_image_counts(data):
    """It is at the first step after a random start that such a model blinds an attack."""
    clean = data.batch(torch.arange(len(data)))

    class Trap(Rounded):
        def forward(self, images):
            near = torch.cdist(images.flatten(1), clean.flatten(1)).amin(dim=1) < 1e-6
            return torch.where(near[:, None], self.network(images), super().forward(images))

    assert blind_share(Trap(line()), data, margin, BALL) == 1
