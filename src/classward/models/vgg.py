"""VGG networks for small images: 3x3 convolutions and max pooling, one linear layer.

Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", arXiv:1409.1556, Table 1, column D.
Reading: batch norm follows each convolution, which keeps its bias, and a single linear layer
takes the place of three, as is usual for small images. Pooling rounds odd sizes up, so that
images of any size end in features.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from torch import nn

from classward.models.heads import HeadFactory, LinearHead
from classward.models.network import Network, scaled
from classward.models.normalize import normalize

STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)  # column D


def vgg16(
    *,
    classes: int = 10,
    channels: int = 3,
    size: int = 32,  # any will do: the last pooling is over the whole image
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    width: float = 1.0,
    head: HeadFactory = LinearHead,
) -> Network:
    """VGG of 13 convolutions with batch norm and one linear layer; 14.7 million weights.

    Args:
        classes: Number of classes.
        channels: Channels of an image.
        size: Height and width of an image, in pixels.
        mean: Mean of each channel; by default images are not normalised.
        std: Standard deviation of each channel.
        width: Multiplies the number of channels of every layer.
        head: Makes the last layer from the numbers of features and of classes.
    """
    stages = [[scaled(usual, width) for usual in stage] for stage in STAGES]
    layers: OrderedDict[str, nn.Module] = OrderedDict(normalize=normalize(channels, mean, std))
    layers |= {str(number): layer for number, layer in enumerate(_layers(channels, stages))}
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return Network(nn.Sequential(layers), head(stages[-1][-1], classes), width=width)


def _layers(inputs: int, stages: Sequence[Sequence[int]]) -> Iterator[nn.Module]:
    """In this order, published weights are numbered."""
    for stage in stages:
        for outputs in stage:
            yield nn.Conv2d(inputs, outputs, 3, padding=1)
            yield nn.BatchNorm2d(outputs)
            yield nn.ReLU()
            inputs = outputs
        yield nn.MaxPool2d(2, ceil_mode=True)
