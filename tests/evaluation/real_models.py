"""Published robust networks of CIFAR-10 and MNIST, for `load_model("real_models.py:NAME")`.

Their files are self-contained: shapes say the layers, and metadata how images are normalised.
"""

from ast import literal_eval

from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from classward.models.normalize import Normalize
from classward.models.weights import fill, read_weights


def sequential(weights):
    """Two convolutions and two linear layers."""
    stored = read_weights(weights)
    first, second = (stored.tensors[f"{layer}.weight"] for layer in (0, 2))
    hidden, features = stored.tensors["5.weight"].shape
    side, size = round((features / len(second)) ** 0.5), 32 if first.shape[1] == 3 else 28
    padding = next(p for p in (0, 1) if _half(_half(size, p), p) == side)
    network = nn.Sequential(
        nn.Conv2d(first.shape[1], len(first), 4, stride=2, padding=padding),
        nn.ReLU(),
        nn.Conv2d(len(first), len(second), 4, stride=2, padding=padding),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )
    return _filled(network, stored, weights)


def resnet(weights):
    """One or two stages of two blocks each, without batch norm."""
    stored = read_weights(weights)
    return _filled(
        _ResNet({key: value.shape for key, value in stored.tensors.items()}), stored, weights
    )


def _filled(network, stored, weights):
    fill(network, stored)
    with safe_open(weights, "pt") as file:
        mean, std = literal_eval(file.metadata()["normalise"])
    return nn.Sequential(Normalize(mean, std), network).eval()


def _half(size, padding):
    return (size + 2 * padding - 4) // 2 + 1


class _ResNet(nn.Module):
    def __init__(self, shapes):
        super().__init__()
        stem, width = shapes["conv1.weight"][0], shapes["layer1.0.conv1.weight"][0]
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(_Block(stem, width, 2), _Block(width, width, 1))
        self.layer2 = nn.Sequential()
        if "layer2.0.conv1.weight" in shapes:
            self.layer2 = nn.Sequential(_Block(width, width, 2), _Block(width, width, 1))
        hidden, features = shapes["linear1.weight"]
        self.linear1, self.linear2 = nn.Linear(features, hidden), nn.Linear(hidden, 10)

    def forward(self, images):
        found = self.layer2(self.layer1(F.relu(self.conv1(images))))
        return self.linear2(F.relu(self.linear1(found.flatten(1))))


class _Block(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride))

    def forward(self, images):
        return F.relu(self.conv2(F.relu(self.conv1(images))) + self.shortcut(images))
