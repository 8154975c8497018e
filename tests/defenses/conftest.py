"""Batches, and losses of given logits: what oracles of defenses are stated for."""

import pytest
import torch
from torch import nn

from classward.core.randomness import SampleRandom
from classward.defenses.base import Batch
from classward.models.heads import Head
from classward.models.network import Network


class Given(nn.Module):
    """Gives the rows it was made with, whatever it is asked: first call, second call, …"""

    def __init__(self, *answers):
        super().__init__()
        self.answers, self.calls = answers, 0

    def forward(self, images):
        self.calls += 1
        return self.answers[(self.calls - 1) % len(self.answers)]


class Passing(Head):
    """The features are the logits."""

    def prototypes(self):
        return torch.eye(1)

    def forward(self, features):
        return features


@pytest.fixture
def passing():
    return Passing()


@pytest.fixture
def batch_of():
    """A batch of images with labels; the adversarial ones are the same unless given."""

    def make(images, labels, adversarial=None, step=0):
        ids = torch.arange(len(labels))
        return Batch(
            images=images,
            labels=torch.as_tensor(labels),
            ids=ids,
            adversarial=images if adversarial is None else adversarial,
            epoch=0,
            step=step,
            rng=SampleRandom(0, "train", ids),
        )

    return make


@pytest.fixture
def answering():
    """A network that gives these logits, one table for each call."""

    def make(*logits):
        return Network(Given(*logits), Passing())

    return make
