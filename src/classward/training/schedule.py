"""What happens when in a training: functions of recipe, seed, epoch and step alone.

Nothing here has a state, so a training that goes on from step 1,000 sees what it would have
seen without the stop.
"""

from dataclasses import replace
from math import cos, pi
from typing import Annotated, Any, Literal, cast

import torch
from jaxtyping import Int64
from pydantic import BeforeValidator, Field
from torch import Tensor

from classward.core.errors import InputError
from classward.core.options import Count, NonNegative, Positive, Real, options
from classward.core.randomness import SampleRandom
from classward.core.types import Attack

Share = Annotated[Real, Field(ge=0, le=1)]


def _as_tuple(value: object) -> object:
    """A list, as TOML has it, as a tuple."""
    return tuple(value) if isinstance(value, list) else value


@options
class Recipe:
    """How long and how fast to train; the defaults are those of the symmetry paper.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images of one optimiser step, at least 2 (batch norm needs them).
        learning_rate: Highest learning rate of SGD with Nesterov momentum 0.9.
        schedule: "multi_step" divides it by 10 at each of `drops`; "one_cycle" rises linearly
            over 30 % of the steps and falls to 0 as a cosine.
        drops: Shares of the steps after which "multi_step" divides.
        weight_decay: Of every parameter.
        clip: Largest norm of the gradient of a step, over all parameters (0: any).
        warm_up: Share of the steps over which the attack's radius grows from 0 (0: none).
        augment: Crop at random from a border of 4 black pixels, and mirror every second image.
        ema: Decay of the averaged weights, which are then what is judged and returned (0: the
            weights themselves).
        validation: Training images held out to choose the best epoch; never more than a tenth.
        checkpoint_every: Steps between checkpoints, besides one after every epoch (0: none).
        on_collapse: What to do when training on an attack of one step collapses (see
            `training.collapse`): "pgd" goes back to the best epoch and on with PGD-2, "stop"
            ends the training, "ignore" does neither. Needs held-out images.
    """

    epochs: Count = 200
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Positive = 0.1
    schedule: Literal["multi_step", "one_cycle"] = "multi_step"
    drops: Annotated[tuple[Share, ...], BeforeValidator(_as_tuple)] = (0.5, 0.75)
    weight_decay: NonNegative = 5e-4
    clip: NonNegative = 0.0
    warm_up: Share = 0.5
    augment: bool = False
    ema: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    validation: Annotated[int, Field(ge=0)] = 1000
    checkpoint_every: Annotated[int, Field(ge=0)] = 0
    on_collapse: Literal["pgd", "stop", "ignore"] = "pgd"


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Learning rate after this share of the steps.

    >>> [learning_rate(Recipe(), progress) for progress in (0.0, 0.5, 0.75)]
    [0.1, 0.01, 0.001]
    """
    if recipe.schedule == "multi_step":
        return recipe.learning_rate / 10 ** sum(progress >= drop for drop in recipe.drops)
    rise = 0.3
    if progress < rise:
        return recipe.learning_rate * progress / rise
    return recipe.learning_rate * (1 + cos(pi * (progress - rise) / (1 - rise))) / 2


def epoch_order(seed: int, epoch: int, count: int) -> Int64[Tensor, " n"]:
    """Order of the training images in this epoch."""
    return SampleRandom(seed, "order", torch.tensor([0]), epoch).permutation(count)[0]


def batches(order: Int64[Tensor, " n"], size: int, least: int = 2) -> list[Int64[Tensor, " b"]]:
    """Cut into batches; a last one with fewer than `least` images joins the one before it.

    >>> [batch.tolist() for batch in batches(torch.arange(5), 2)]
    [[0, 1], [2, 3, 4]]
    """
    cut = list(order.split(size))
    if len(cut) > 1 and len(cut[-1]) < least:
        cut[-2:] = [torch.cat(cut[-2:])]
    return cut


def attack_at(recipe: Recipe, attack: Attack | None, progress: float) -> Attack | None:
    """The attack after this share of the steps: within the warm-up, in a smaller ball."""
    if attack is None or progress >= recipe.warm_up:
        return attack
    return warmed(attack, progress / recipe.warm_up)


def warmed(attack: Attack, share: float) -> Attack:
    """The attack with this share, in [0, 1], of its radius and of its step size.

    A step size stays above 0, as attacks demand, where the radius is 0.

    Raises:
        InputError: If the attack has no ball.
    """
    options = cast(Any, attack)
    if not hasattr(options, "ball"):
        raise InputError(f"{type(attack).__name__} has no ball to warm up: set warm_up=0")
    changed = {"ball": replace(options.ball, eps=share * options.ball.eps)}
    if hasattr(options, "step_size"):
        changed["step_size"] = share * options.step_size or options.step_size
    return replace(options, **changed)
