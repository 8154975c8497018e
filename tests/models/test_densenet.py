import pytest
import torch

from classward.models.densenet import DenseLayer, densenet121
from classward.models.heads import UnitWeightHead


def test_has_the_published_number_of_weights():
    network = densenet121()
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    assert len(matrices) == 121
    assert sum(p.numel() for p in network.parameters()) == 6_956_298


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (1, 8), (1, 28), (3, 32), (3, 33)])
def test_takes_images_of_any_size(channels, size):
    network = densenet121(classes=5, channels=channels, size=size, width=0.1).eval()
    assert network(torch.rand(2, channels, size, size)).shape == (2, 5)
    maps = network.features[:-2](torch.rand(2, channels, size, size))
    assert maps.shape[2] == -(-size // 8)


def test_width_multiplies_the_growth():
    network = densenet121(width=0.25, head=UnitWeightHead)
    assert network.features.conv1.out_channels == 16
    assert network.features.dense1[0].conv1.out_channels == 4 * 8
    assert network.head.prototypes().shape == (10, 256)


def test_a_layer_puts_new_maps_in_front_of_those_it_was_given():
    maps = torch.rand(2, 6, 5, 5)
    out = DenseLayer(6, 4).eval()(maps)
    assert out.shape == (2, 10, 5, 5)
    assert torch.equal(out[:, 4:], maps)
    assert out[:, :4].abs().max() > 0
