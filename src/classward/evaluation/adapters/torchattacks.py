"""How an attack of torchattacks is called."""

from typing import Any

from classward.core.balls import Ball
from classward.core.errors import InputError
from classward.core.types import Images, Labels
from classward.evaluation.adapters.shown import Shown

BY_LABEL = "targeted(label)"


def generate(
    attack: Any,
    model: Shown,
    images: Images,
    labels: Labels,
    targets: Labels | None,
    ball: Ball | None,
) -> Any:
    """What it makes of the images; the attack, and those it is made of, are as before then.

    Raises:
        InputError: If it normalises, or aims at labels without targets.
        ValueError: If there are targets, and it takes none.
    """
    if attack.normalization_used is not None:
        raise InputError(
            f"torchattacks {type(attack).__name__} normalises: do not set_normalization_used, "
            "normalisation belongs into the model"
        )
    if targets is None and attack.attack_mode == BY_LABEL:
        raise InputError(
            f"torchattacks {type(attack).__name__} takes labels for targets: set_mode_default, "
            "or give targets to the run"
        )
    everyone = [attack, *attack._attacks.values()]
    before = [dict(vars(one)) for one in everyone]
    try:
        attack.set_model(model)
        attack.set_device(images.device)
        if targets is not None:
            attack.set_mode_targeted_by_label(quiet=True)
        return attack(images, labels if targets is None else targets)
    finally:
        for one, state in zip(everyone, before, strict=True):
            vars(one).clear()
            vars(one).update(state)  # its __setattr__ would look for attacks in it
