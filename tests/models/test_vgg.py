import pytest
import torch
from torch import nn

from classward.models.heads import UnitWeightHead
from classward.models.vgg import vgg16


def test_has_the_published_number_of_weights():
    """For ten classes, with the biases of the convolutions and batch norm."""
    network = vgg16()
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    assert len(matrices) == 14
    assert sum(p.numel() for p in network.parameters()) == 14_728_266


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (1, 8), (1, 28), (3, 32), (3, 33)])
def test_takes_images_of_any_size(channels, size):
    network = vgg16(classes=5, channels=channels, size=size, width=0.1).eval()
    assert network(torch.rand(2, channels, size, size)).shape == (2, 5)


def test_width_multiplies_every_number_of_channels():
    network = vgg16(width=0.25, head=UnitWeightHead)
    channels = [layer.out_channels for layer in network.modules() if type(layer) is nn.Conv2d]
    assert channels == [16] * 2 + [32] * 2 + [64] * 3 + [128] * 6
    assert network.head.prototypes().shape == (10, 128)


def test_pools_after_each_stage():
    network = vgg16(width=0.1).eval()
    maps = network.features[:-2](torch.rand(1, 3, 64, 64))
    assert maps.shape == (1, 51, 2, 2)
