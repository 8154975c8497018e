"""Attacked images themselves, for what no attack record holds: other networks' answers."""

import torch
from torch import nn

from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images, Logits, SampleLoss
from classward.data.split import Split
from classward.models.twin import make_twin

BATCH = 125


def crafted(model: nn.Module, attack: Attack, loss: SampleLoss, data: Split) -> Images:
    """What the attack makes of the images on the model."""
    twin, _ = make_twin(model, data.batch(torch.arange(2)))
    made = []
    for rows in torch.arange(len(data)).split(BATCH):
        rng = SampleRandom(0, "crafted", data.ids[rows])
        made.append(attack(twin, data.batch(rows), data.labels[rows], rng=rng, loss=loss))
    return torch.cat(made)


def answers(model: nn.Module, images: Images) -> Logits:
    """Logits of the images."""
    with torch.no_grad():
        return torch.cat([model(rows) for rows in images.split(BATCH)])
