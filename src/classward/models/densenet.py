"""Densely connected networks for small images: each layer sees the maps of all before it.

Paper: Huang et al., "Densely Connected Convolutional Networks", arXiv:1608.06993, Table 1,
DenseNet-BC with halved transitions.
Reading: the table is made for 224x224 pixels; as is usual for small images, a 3x3 convolution
of stride 1 takes the place of the first layer and of the max pooling. Pooling rounds odd sizes
up, so that images of any size end in features.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Network, scaled
from classward.models.normalize import normalize

GROWTH = 32  # maps that each layer adds
LAYERS = (6, 12, 24, 16)  # of each dense block


def densenet121(
    *,
    classes: int = 10,
    channels: int = 3,
    size: int = 32,  # any will do: the last pooling is over the whole image
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    width: float = 1.0,
    head: HeadFactory = LinearHead,
) -> Network:
    """DenseNet-121 of growth 32 with a 3x3 first layer; 7.0 million weights.

    Args:
        classes: Number of classes.
        channels: Channels of an image.
        size: Height and width of an image, in pixels.
        mean: Mean of each channel; by default images are not normalised.
        std: Standard deviation of each channel.
        width: Multiplies the growth, and with it the number of channels of every layer.
        head: Makes the last layer from the numbers of features and of classes.
    """
    growth = scaled(GROWTH, width)
    maps = 2 * growth
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=normalize(channels, mean, std),
        conv1=nn.Conv2d(channels, maps, 3, padding=1, bias=False),
    )
    for number, count in enumerate(LAYERS, 1):
        if number > 1:
            layers[f"trans{number - 1}"] = _transition(maps, maps // 2)
            maps = maps // 2
        dense = (DenseLayer(maps + i * growth, growth) for i in range(count))
        layers[f"dense{number}"] = nn.Sequential(*dense)
        maps += count * growth
    layers |= {"bn": nn.BatchNorm2d(maps), "relu": nn.ReLU()}
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return Network(nn.Sequential(layers), head(maps, classes), width=width)


def _transition(inputs: int, outputs: int) -> nn.Sequential:
    """Fewer maps, of half the height and width."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        bn=nn.BatchNorm2d(inputs),
        relu=nn.ReLU(),
        conv=nn.Conv2d(inputs, outputs, 1, bias=False),
        pool=nn.AvgPool2d(2, ceil_mode=True),
    )
    return nn.Sequential(layers)


class DenseLayer(nn.Module):
    """A 1x1 convolution to four times as many maps as it adds, then one of 3x3.

    Args:
        inputs: Maps that come in.
        growth: Maps that it puts in front of them.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, maps: Float[Tensor, "n c1 h w"]) -> Float[Tensor, "n c2 h w"]:
        """New maps, then those that came in."""
        inner = self.conv1(F.relu(self.bn1(maps)))
        return torch.cat([self.conv2(F.relu(self.bn2(inner))), maps], dim=1)
