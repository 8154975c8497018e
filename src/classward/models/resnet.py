"""Residual networks for images of about 32x32 pixels.

Paper: He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385: depths of
6n + 2 in Sec. 4.2, ResNet-18, -34 and -50 in Table 1.
Reading: the latter are made for 224x224 pixels; as is usual for small images, a 3x3 convolution
of stride 1 takes the place of their first layer and of the max pooling.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Unpack

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Layout, Network, scaled
from classward.models.normalize import MeanAndStd, normalize

MEAN_AND_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of the published weights


def resnet8(**layout: Unpack[Layout]) -> Network:
    """ResNet of 8 layers; 0.08 million weights."""
    return _resnet(Block, 16, 16, [1] * 3, MEAN_AND_STD, **layout)


def resnet20(**layout: Unpack[Layout]) -> Network:
    """ResNet of 20 layers; 0.27 million weights."""
    return _resnet(Block, 16, 16, [3] * 3, MEAN_AND_STD, **layout)


def resnet32(**layout: Unpack[Layout]) -> Network:
    """ResNet of 32 layers; 0.46 million weights."""
    return _resnet(Block, 16, 16, [5] * 3, MEAN_AND_STD, **layout)


def resnet44(**layout: Unpack[Layout]) -> Network:
    """ResNet of 44 layers; 0.66 million weights."""
    return _resnet(Block, 16, 16, [7] * 3, MEAN_AND_STD, **layout)


def resnet56(**layout: Unpack[Layout]) -> Network:
    """ResNet of 56 layers; 0.85 million weights."""
    return _resnet(Block, 16, 16, [9] * 3, MEAN_AND_STD, **layout)


def resnet18(**layout: Unpack[Layout]) -> Network:
    """ResNet-18 with a 3x3 first layer; 11.2 million weights."""
    return _resnet(projected, 64, 64, [2, 2, 2, 2], None, **layout)


def resnet34(**layout: Unpack[Layout]) -> Network:
    """ResNet-34 with a 3x3 first layer; 21.3 million weights."""
    return _resnet(projected, 64, 64, [3, 4, 6, 3], None, **layout)


def resnet50(**layout: Unpack[Layout]) -> Network:
    """ResNet-50 with a 3x3 first layer; 23.5 million weights."""
    return _resnet(Bottleneck, 64, 256, [3, 4, 6, 3], None, **layout)


def _resnet(
    block: Callable[[int, int, int], nn.Module],
    stem: int,
    first: int,
    blocks: Sequence[int],
    usual: MeanAndStd | None,
    *,
    classes: int = 10,
    channels: int = 3,
    size: int = 32,  # any will do: the last pooling is over the whole image
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    width: float = 1.0,
    head: HeadFactory = LinearHead,
) -> Network:
    """A convolution to `stem` channels, then stages, of `first` channels and always twice."""
    inputs, outputs = scaled(stem, width), scaled(first, width)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=normalize(channels, mean, std, usual),
        conv1=nn.Conv2d(channels, inputs, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(inputs),
        relu=nn.ReLU(),
    )
    for number, count in enumerate(blocks, 1):
        later = (block(outputs, outputs, 1) for _ in range(count - 1))
        opening = block(inputs, outputs, 1 if number == 1 else 2)
        layers[f"layer{number}"] = nn.Sequential(opening, *later)
        inputs, outputs = outputs, 2 * outputs
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return Network(nn.Sequential(layers), head(inputs, classes), width=width)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Of the first convolution.
        shortcut: What runs beside them; by default it has no weights.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, shortcut: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if shortcut is None:
            shortcut = Padding(outputs - inputs, stride)
        self.shortcut = shortcut

    def forward(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Residual sum, rectified."""
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(maps)))))
        return F.relu(residual + self.shortcut(maps))


class Bottleneck(nn.Module):
    """A 3x3 convolution, which has the stride, between two of 1x1 with four times its outputs.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Of the 3x3 convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = projection(inputs, outputs, stride)

    def forward(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Residual sum, rectified."""
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        return F.relu(self.bn3(self.conv3(inner)) + self.shortcut(maps))


class Padding(nn.Module):
    """Every second pixel where the stride is 2; new channels, half on each side, are 0.

    Option A of the paper.

    Args:
        added: How many channels are new.
        stride: Of the pixels that stay.
    """

    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Thinned and padded maps."""
        shrunk = maps[:, :, :: self.stride, :: self.stride]
        half = self.added // 2
        return F.pad(shrunk, (0, 0, 0, 0, half, self.added - half))


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A 1x1 convolution where the shape changes, else nothing (option B of the paper)."""
    if inputs == outputs and stride == 1:
        return nn.Sequential()
    conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def projected(inputs: int, outputs: int, stride: int) -> Block:
    """A block with a shortcut of option B."""
    return Block(inputs, outputs, stride, projection(inputs, outputs, stride))
