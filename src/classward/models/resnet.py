"""Residual networks for images of about 32x32 pixels, of depth 6n + 2.

Paper: He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385, Sec. 4.2.
Not to be confused with: the wider ResNet-18, -34 and -50 of the same paper, made for ImageNet.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Unpack

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Layout, Network
from classward.models.normalize import normalize

MEAN_AND_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of the published weights


def resnet20(**layout: Unpack[Layout]) -> Network:
    """ResNet of 20 layers; 0.27 million weights."""
    return _resnet(20, **layout)


def resnet32(**layout: Unpack[Layout]) -> Network:
    """ResNet of 32 layers; 0.46 million weights."""
    return _resnet(32, **layout)


def resnet44(**layout: Unpack[Layout]) -> Network:
    """ResNet of 44 layers; 0.66 million weights."""
    return _resnet(44, **layout)


def resnet56(**layout: Unpack[Layout]) -> Network:
    """ResNet of 56 layers; 0.85 million weights."""
    return _resnet(56, **layout)


def _resnet(
    depth: int,
    *,
    classes: int = 10,
    channels: int = 3,
    size: int = 32,  # any will do: the last pooling is over the whole image
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    head: HeadFactory = LinearHead,
) -> Network:
    blocks = (depth - 2) // 6
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=normalize(channels, mean, std, MEAN_AND_STD),
        conv1=nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu=nn.ReLU(),
        layer1=_stage(16, 16, blocks, stride=1),
        layer2=_stage(16, 32, blocks, stride=2),
        layer3=_stage(32, 64, blocks, stride=2),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    return Network(nn.Sequential(layers), head(64, classes))


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    later = (Block(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(Block(inputs, outputs, stride), *later)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut without weights (option A of the paper)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Residual sum, rectified."""
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(maps)))))
        return F.relu(residual + self.shortcut(maps))

    def shortcut(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Every second pixel where the stride is 2; new channels, half on each side, are 0."""
        shrunk = maps[:, :, :: self.stride, :: self.stride]
        return F.pad(shrunk, (0, 0, 0, 0, self.added // 2, self.added // 2))
