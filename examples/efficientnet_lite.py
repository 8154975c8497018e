"""EfficientNet-Lite0 for ImageNet: how to bring a network of your own to classward.

    classward audit --model examples/efficientnet_lite.py:efficientnet_lite0 --weights FILE ...

FILE holds, as safetensors, the weights of the PyPI package efficientnet-lite-pytorch.
Source: Tan and Le, "EfficientNet", arXiv:1905.11946, without squeeze-and-excitation and with
ReLU6; layers are named as in the published weights.
"""

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

# of each stage: blocks, kernel size, stride of the first block, expansion, channels
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


def efficientnet_lite0(weights: str) -> nn.Module:
    """The network with published weights, for images of 224x224 pixels in [0, 1]."""
    network = EfficientNetLite()
    stored = {name: value.float() for name, value in load_file(weights).items()}
    missing, unknown = network.load_state_dict(stored, strict=False)
    lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacking or unknown:
        raise ValueError(f"not this network's weights: {[*lacking, *unknown][0]}")
    return network.eval()


class EfficientNetLite(nn.Module):
    """Stem, sixteen inverted bottlenecks, a wide pointwise convolution and a linear layer."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks: list[nn.Module] = []
        channels = 32
        for count, kernel, stride, expansion, wide in STAGES:
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(Block(channels, wide, kernel, step, expansion))
                channels = wide
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images in [0, 1]."""
        maps = (images * 255 - 127) / 128
        maps = F.relu6(self._bn0(self._conv_stem(maps)))
        maps = F.relu6(self._bn1(self._conv_head(self._blocks(maps))))
        return self._fc(maps.mean(dim=(2, 3)))


class Block(nn.Module):
    """Inverted bottleneck: expand, convolve each channel by itself, project."""

    def __init__(
        self, channels: int, outputs: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and channels == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = SameConv2d(
            wide, wide, kernel, stride=stride, groups=wide, bias=False
        )
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, maps: Tensor) -> Tensor:
        """The block's output, with its input added where their shapes agree."""
        inner = F.relu6(self._bn0(self._expand_conv(maps))) if self.expands else maps
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + maps if self.adds else inner


class SameConv2d(nn.Conv2d):
    """Convolution padded as TensorFlow does, with the odd pixel at the bottom and right."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of ceil(size / stride)."""
        pads: list[int] = []
        for size, kernel, stride in zip(
            maps.shape[2:], self.kernel_size, self.stride, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads = [total // 2, total - total // 2, *pads]
        return super().forward(F.pad(maps, pads))
