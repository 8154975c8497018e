"""What a training starts from: its network, its attacks, the images held out."""

from copy import deepcopy

import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.core.types import Attack
from classward.data.split import Split
from classward.defenses.base import Defense
from classward.models.last_layer import as_network
from classward.models.load import build
from classward.models.network import Layout, Network

JUDGE_STEPS = 10  # of the PGD that chooses the best epoch


def chosen_attack(attack: Attack | None, defense: Defense) -> Attack | None:
    """The attack that was asked for, else the defense's own, else PGD where one is needed.

    Raises:
        InputError: If it needs more than a gradient.
    """
    chosen = defense.attack if attack is None else attack
    if chosen is None:
        return PGD() if defense.attacked else None
    if chosen.access != "gradient" or chosen.needs:
        raise InputError(
            f"{type(chosen).__name__} cannot train: it needs an oracle or ingredients; use PGD"
        )
    return chosen


def first_network(
    model: str | nn.Module, defense: Defense, data: Split, seed: int, layout: Layout
) -> Network:
    """A copy of the network with the head the defense wants; its other layers as they are.

    Raises:
        InputError: If there is no such model, it does not fit the data, or it has no last
            linear layer.
    """
    if isinstance(model, str):
        channels, size, _ = data.shape
        fitting: Layout = {"classes": data.classes, "channels": channels, "size": size}
        return build(model, seed=seed, **(layout | fitting | {"head": defense.head}))
    if layout:
        raise InputError(f"the model is made already: leave {', '.join(layout)} out")
    if not isinstance(model, nn.Module):
        raise InputError(
            f"train needs a model's name or an nn.Module, got {type(model).__name__}"
        )
    network = as_network(deepcopy(model), data.batch(torch.arange(min(2, len(data)))))
    classes = len(network.head.prototypes())
    head = defense.head(network.head.features, data.classes)
    if type(head) is not type(network.head):
        network.head = head
    elif classes != data.classes:
        raise InputError(f"model has {classes} classes, {data.name} has {data.classes}")
    return network


def hold_out(data: Split, count: int, seed: int) -> tuple[Split | None, Split]:
    """Images to choose the best epoch by, and the others to train on.

    Raises:
        InputError: If fewer than two are left to train on.
    """
    count = min(count, len(data) // 10)
    order = SampleRandom(seed, "held out", torch.tensor([0])).permutation(len(data))[0]
    if len(data) - count < 2:
        raise InputError(f"{data.name} has {len(data)} image, training needs at least 2")
    held_out = data.select(order[:count].sort().values) if count else None
    return held_out, data.select(order[count:].sort().values)


def judge(attack: Attack | None) -> Attack | None:
    """PGD in the ball of the training attack; without a ball, the training attack itself."""
    ball = getattr(attack, "ball", None)
    if ball is None or ball.eps == 0:
        return attack
    return PGD(ball=ball, step_size=ball.eps / 4, steps=JUDGE_STEPS)
