"""How an attack of Foolbox is called."""

from importlib import import_module
from typing import Any

from classward.core.balls import Ball
from classward.core.types import Images, Labels
from classward.evaluation.adapters.shown import Shown


def generate(
    attack: Any,
    model: Shown,
    images: Images,
    labels: Labels,
    targets: Labels | None,
    ball: Ball | None,
) -> Any:
    """The second of the three it returns: clipped to the ball, where the first may be beyond.

    The radius is the ball's; without a ball, an attack that looks for the nearest image gives
    that one.
    """
    foolbox = import_module("foolbox")  # whoever made the attack has it
    asked = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
    aim = (
        foolbox.criteria.Misclassification(labels)
        if targets is None
        else foolbox.criteria.TargetedMisclassification(targets)
    )
    _, clipped, _ = attack(asked, images, aim, epsilons=None if ball is None else ball.eps)
    return clipped
