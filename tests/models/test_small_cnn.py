import pytest
import torch

from classward.models.heads import UnitWeightHead
from classward.models.normalize import Normalize
from classward.models.small_cnn import small_cnn


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 9, 28, 32])
def test_takes_images_of_its_size(channels, size):
    network = small_cnn(classes=7, channels=channels, size=size)
    assert network(torch.rand(2, channels, size, size)).shape == (2, 7)


def test_has_the_layers_it_promises():
    network = small_cnn()
    assert isinstance(network.features[0], Normalize)
    assert network.features.conv1.out_channels == 16
    assert network.features.conv2.out_channels == 32
    assert network.features(torch.rand(1, 1, 8, 8)).shape == (1, 64)


def test_normalisation_and_head_are_arguments():
    network = small_cnn(mean=[0.5], std=[0.25], classes=4, head=UnitWeightHead)
    assert network.features[0](torch.ones(1, 1, 8, 8)).unique().item() == 2
    assert network.head.prototypes().shape == (4, 64)
