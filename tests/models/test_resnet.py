"""Residual networks; published weights must have their published accuracy."""

import pytest
import torch

from classward.data.load import load_data
from classward.models.load import load_model
from classward.models.normalize import Normalize
from classward.models.resnet import (
    Block,
    Padding,
    projection,
    resnet8,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
)


def accuracy(folder, name, samples):
    weights = folder / "models" / f"cifar10_{name}_std.safetensors"
    network = load_model(name, weights=weights)
    data = load_data("cifar10", split="test", samples=samples, root=folder)
    right = 0
    for positions in torch.arange(len(data)).split(500):
        with torch.no_grad():
            said = network(data.batch(positions)).argmax(dim=1)
        right += int((said == data.labels[positions]).sum())
    return 100 * right / len(data)


def test_published_resnet20_on_the_first_images(real):
    assert accuracy(real("cifar10.webp.zip"), "resnet20", "first:1000") == pytest.approx(
        91.6, abs=0.11
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published"), [("resnet20", 91.74), ("resnet32", 92.64), ("resnet56", 93.41)]
)
def test_published_weights_have_their_accuracy(real, name, published):
    assert accuracy(real("cifar10.webp.zip"), name, None) == pytest.approx(published, abs=0.02)


@pytest.mark.parametrize(
    ("build", "depth", "thousands"),
    [
        (resnet8, 8, 75),
        (resnet20, 20, 270),
        (resnet32, 32, 464),
        (resnet44, 44, 659),
        (resnet56, 56, 853),
    ],
)
def test_depth_and_size_are_those_of_the_paper(build, depth, thousands):
    network = build()
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    assert len(matrices) == depth
    assert round(sum(p.numel() for p in network.parameters()) / 1000) == thousands


@pytest.mark.parametrize(
    ("build", "depth", "weights"),
    [
        (resnet18, 18, 11_173_962),
        (resnet34, 34, 21_282_122),
        (resnet50, 50, 23_520_842),
    ],
)
def test_wider_networks_are_those_of_the_field(build, depth, weights):
    """The published numbers of weights for ten classes, of the form for small images."""
    network = build()
    layers = [name for name, p in network.named_parameters() if p.ndim >= 2]
    assert len([name for name in layers if "shortcut" not in name]) == depth
    assert sum(p.numel() for p in network.parameters()) == weights


@pytest.mark.parametrize("build", [resnet18, resnet34, resnet50])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 9)])
def test_wider_networks_take_images_of_any_size(build, channels, size):
    network = build(classes=5, channels=channels, size=size, width=0.1).eval()
    maps = network.features[:-2](torch.rand(2, channels, size, size))
    assert maps.shape[2] == -(-size // 8)  # three of the stages have stride 2
    assert network(torch.rand(2, channels, size, size)).shape == (2, 5)


@pytest.mark.parametrize(
    ("build", "stem", "features"),
    [(resnet20, 4, 16), (resnet18, 16, 128), (resnet50, 16, 512)],
)
def test_width_multiplies_every_number_of_channels(build, stem, features):
    network = build(width=0.25)
    assert (network.width, network.features.conv1.out_channels) == (0.25, stem)
    assert network.head.features == features


def test_bottlenecks_are_a_quarter_as_wide_inside():
    network = resnet50(width=0.25)
    shapes = [p.shape[:2] for p in network.features.layer2[1].parameters() if p.ndim == 4]
    assert shapes == [(32, 128), (32, 32), (128, 32)]
    assert network.features.layer2[0].conv2.stride == (2, 2)


def test_a_block_is_the_sum_of_what_it_learns_and_its_shortcut():
    maps = torch.rand(2, 4, 6, 6)
    block = Block(4, 8, 2, projection(4, 8, 2)).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    torch.testing.assert_close(block(maps), block.shortcut(maps).relu())
    assert torch.equal(projection(4, 4, 1)(maps), maps)


def test_normalises_colour_images_unless_told_otherwise():
    assert isinstance(resnet20().features[0], Normalize)
    assert resnet20().features[0].mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert resnet20(channels=1).features[0].std.tolist() == [1]
    assert resnet18(width=0.1).features[0].std.tolist() == [1, 1, 1]
    plain = resnet20(mean=[0.0] * 3, std=[1.0] * 3)
    assert plain.features[0].std.tolist() == [1, 1, 1]


@pytest.mark.parametrize("size", [8, 32, 33])
def test_takes_images_of_any_size(size):
    network = resnet20(classes=5, channels=1, size=size).eval()
    assert network(torch.rand(2, 1, size, size)).shape == (2, 5)


def test_shortcut_takes_every_second_pixel_and_pads_channels_with_zeros():
    maps = torch.rand(2, 4, 6, 6)
    shortcut = Padding(4, 2)(maps)
    assert shortcut.shape == (2, 8, 3, 3)
    assert torch.equal(shortcut[:, 2:6], maps[:, :, ::2, ::2])
    assert not shortcut[:, [0, 1, 6, 7]].any()
    assert torch.equal(Block(4, 4, 1).shortcut(maps), maps)
    odd = Padding(3, 1)(maps)
    assert odd.shape[1] == 7 and torch.equal(odd[:, 1:5], maps)
