"""Two convolutions and one hidden layer, for digits of 8x8 up to images of 32x32."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Network, scaled
from classward.models.normalize import normalize


def small_cnn(
    *,
    classes: int = 10,
    channels: int = 1,
    size: int = 8,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    width: float = 1.0,
    head: HeadFactory = LinearHead,
) -> Network:
    """Convolutions of 16 and 32 channels, the second at stride 2, and 64 features.

    Args:
        classes: Number of classes.
        channels: Channels of an image.
        size: Height and width of an image, in pixels.
        mean: Mean of each channel; by default images are not normalised.
        std: Standard deviation of each channel.
        width: Multiplies the numbers of channels and of features.
        head: Makes the last layer from the numbers of features and of classes.
    """
    half = (size + 1) // 2
    first, second, features = (scaled(usual, width) for usual in (16, 32, 64))
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=normalize(channels, mean, std),
        conv1=nn.Conv2d(channels, first, 3, padding=1),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(first, second, 3, stride=2, padding=1),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        hidden=nn.Linear(second * half * half, features),
        relu3=nn.ReLU(),
    )
    return Network(nn.Sequential(layers), head(features, classes), width=width)
