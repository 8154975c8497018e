"""How an attack of the Adversarial Robustness Toolbox (ART) is called."""

from typing import Any

import numpy as np

from classward.core.balls import Ball
from classward.core.errors import InputError
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
    """What it makes of the images, an array; the attack and its estimator are as before then.

    Raises:
        InputError: If its estimator is not one of PyTorch, leaves [0, 1] or preprocesses, or
            if it takes no targets, or takes labels for targets.
    """
    name, estimator = f"ART {type(attack).__name__}", attack.estimator
    wrapper: Any = getattr(estimator, "_model", None)
    pixels = images.cpu().numpy()
    if not hasattr(wrapper, "_model"):
        raise InputError(f"{name} needs a PyTorchClassifier, got {type(estimator).__name__}")
    _check_pixels(name, estimator, pixels)
    aimable = "targeted" in attack.attack_params
    aimed = aimable and bool(attack.targeted)
    if targets is not None and not aimable:
        raise InputError(f"{name} takes no targets: leave them out")
    if targets is None and aimed:
        raise InputError(f"{name} takes labels for targets: make it with targeted=False")
    before = wrapper._model
    try:
        wrapper._model = model
        if aimable:
            attack.set_params(targeted=targets is not None)
        classes = labels if targets is None else targets
        return attack.generate(x=pixels, y=classes.cpu().numpy())
    finally:
        wrapper._model = before
        if aimable:
            attack.set_params(targeted=aimed)


def _check_pixels(name: str, estimator: Any, pixels: np.ndarray) -> None:
    limits = estimator.clip_values
    if limits is None or not (np.all(limits[0] == 0) and np.all(limits[1] == 1)):
        raise InputError(f"{name}: make its estimator with clip_values=(0, 1), not {limits}")
    seen, _ = estimator._apply_preprocessing(pixels, y=None, fit=False)
    if not np.array_equal(np.asarray(seen), pixels):
        raise InputError(
            f"{name}: its estimator changes the images first; make it without preprocessing, "
            "which belongs into the model"
        )
