import pytest
import torch

from classward.models.heads import UnitWeightHead
from classward.models.wide_resnet import Block, wide_resnet_28_10


def test_has_the_published_number_of_weights():
    network = wide_resnet_28_10()
    layers = [name for name, p in network.named_parameters() if p.ndim >= 2]
    assert len([name for name in layers if "convShortcut" not in name]) == 26
    assert len(layers) == 29
    assert sum(p.numel() for p in network.parameters()) == 36_479_194


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 28), (3, 32), (3, 33)])
def test_takes_images_of_any_size(channels, size):
    network = wide_resnet_28_10(classes=5, channels=channels, size=size, width=0.1).eval()
    assert network(torch.rand(2, channels, size, size)).shape == (2, 5)
    maps = network.features[:-2](torch.rand(2, channels, size, size))
    assert maps.shape[1:3] == (64, -(-size // 4))


def test_width_multiplies_the_widening_factor():
    network = wide_resnet_28_10(width=0.2, head=UnitWeightHead)
    assert sum(p.numel() for p in network.features.parameters()) == 1_467_610 - 1290  # WRN-28-2
    assert network.features.conv1.out_channels == 16
    assert network.head.prototypes().shape == (10, 128)


def test_a_block_learns_what_is_added_to_maps_it_leaves_alone():
    maps = torch.randn(2, 4, 6, 6)
    block = Block(4, 4, 1).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    assert torch.equal(block(maps), maps)


def test_a_shortcut_that_changes_the_shape_takes_the_normalised_maps():
    maps = torch.randn(2, 4, 6, 6)
    block = Block(4, 8, 2).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.constant_(block.bn1.bias, 0.5)
    ready = block.bn1(maps).relu()
    assert torch.equal(block(maps), block.convShortcut(ready))
