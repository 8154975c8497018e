"""Wide residual networks, whose blocks normalise and rectify before they convolve.

Paper: Zagoruyko and Komodakis, "Wide Residual Networks", arXiv:1605.07146, Table 1, blocks
B(3, 3) without dropout.
"""

from collections import OrderedDict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Network, scaled
from classward.models.normalize import normalize

STEM = 16  # channels of the first convolution, which is never widened


def wide_resnet_28_10(
    *,
    classes: int = 10,
    channels: int = 3,
    size: int = 32,  # any will do: the last pooling is over the whole image
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    width: float = 1.0,
    head: HeadFactory = LinearHead,
) -> Network:
    """WRN-28-10: 28 layers, ten times as wide as usual; 36.5 million weights.

    Args:
        classes: Number of classes.
        channels: Channels of an image.
        size: Height and width of an image, in pixels.
        mean: Mean of each channel; by default images are not normalised.
        std: Standard deviation of each channel.
        width: Multiplies the widening factor: 0.2 makes it a WRN-28-2.
        head: Makes the last layer from the numbers of features and of classes.
    """
    first, second, third = (scaled(10 * usual, width) for usual in (16, 32, 64))
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=normalize(channels, mean, std),
        conv1=nn.Conv2d(channels, STEM, 3, padding=1, bias=False),
        block1=_stage(STEM, first, stride=1),
        block2=_stage(first, second, stride=2),
        block3=_stage(second, third, stride=2),
        bn1=nn.BatchNorm2d(third),
        relu=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    return Network(nn.Sequential(layers), head(third, classes), width=width)


def _stage(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    """Four blocks, named as in published weights."""
    later = (Block(outputs, outputs, 1) for _ in range(3))
    blocks = nn.Sequential(Block(inputs, outputs, stride), *later)
    return nn.Sequential(OrderedDict(layer=blocks))


class Block(nn.Module):
    """Two 3x3 convolutions, a batch norm before each, beside a shortcut.

    The shortcut is a 1x1 convolution of the normalised maps where the channels change.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Of the first convolution; other than 1 only where the channels change.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.convShortcut = (  # the name in published weights
            None
            if inputs == outputs
            else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        )

    def forward(self, maps: Float[Tensor, "n c1 h1 w1"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Residual sum, neither normalised nor rectified."""
        ready = F.relu(self.bn1(maps))
        residual = self.conv2(F.relu(self.bn2(self.conv1(ready))))
        return residual + (maps if self.convShortcut is None else self.convShortcut(ready))
