"""Models, and attacks, that are wrong in one way each."""

import torch
from torch import nn


class _Of(nn.Module):
    """A model whose answer is a function of its images."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, images):
        return self.answer(images)


def _filled(value):
    return _Of(lambda images: torch.full((len(images), 10), value))


def nan():
    return _filled(float("nan"))


def infinite():
    return _filled(float("inf"))


def probabilities():
    return _filled(0.1)


def one_logit():
    return _Of(lambda images: images.flatten(1)[:, :1])


def pictures():
    return _Of(lambda images: images)


def text():
    return _Of(lambda images: "seven")


def half_of_them():
    return _Of(lambda images: images.flatten(1)[: len(images) // 2, :10])


def of_colours():
    return nn.Sequential(nn.Conv2d(3, 1, 8), nn.Flatten(), nn.Linear(1, 10))


def of_larger():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def with_weights(weights):
    return nn.Linear(1, 1)


def raises():
    raise RuntimeError("no such checkpoint\nand a second line")


seven = 7
