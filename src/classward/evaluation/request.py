"""What is asked of `run_attack`: whether it can be, and how the record remembers it."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Attack
from classward.data.split import Split
from classward.evaluation.judge import model_digest


def settings_of(run: Any, reason: str) -> dict[str, Any]:
    """What was asked, so that only the same question is resumed."""
    ball = getattr(run.attack, "ball", None)
    data = run.judge.data
    return {
        "attack": repr(run.attack),
        "attack_name": type(run.attack).__name__,
        "eps": None if ball is None else ball.eps,
        "norm": getattr(run.attack, "norm", None) if ball is None else ball.norm,
        "loss": None if run.loss is None else getattr(run.loss, "__name__", repr(run.loss)),
        "targeted": run.targets is not None,
        "until": run.until,
        "ingredients": {name: _named(value) for name, value in run.ingredients.items()},
        "restarts": run.restarts,
        "seed": run.seed,
        "batch_size": run.batch_size,
        "images": run.save_images,
        "mode": "exact",
        "gradient_model": reason,
        "device": run.judge.device,
        "model": model_digest(run.judge.model),
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
        "class_names": run.judge.class_names,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    names = ("classward", "torch", "numpy")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


def _named(value: Any) -> str:
    return (
        ", ".join(map(_named, value))
        if isinstance(value, list | tuple)
        else (model_digest(value) if callable(value) else repr(value))
    )


def check_request(
    attack: Attack,
    ingredients: Mapping[str, Any],
    restarts: int,
    batch_size: int,
    targets: Tensor | None,
    data: Split,
) -> None:
    """Refuse what cannot be run.

    Raises:
        InputError: If counts, ingredients or targets do not fit.
    """
    if restarts < 1 or batch_size < 1:
        raise InputError(f"restarts={restarts}, batch_size={batch_size}: each at least 1")
    if wrong := attack.needs ^ ingredients.keys():
        raise InputError(
            f"{type(attack).__name__} needs ingredients {sorted(attack.needs)}, "
            f"got {sorted(ingredients)}: {sorted(wrong)[0]!r} is the difference"
        )
    if targets is None:
        return
    fits = targets.shape == data.labels.shape and not targets.is_floating_point()
    if not fits or (targets < 0).any():
        raise InputError(f"targets must be {len(data)} class ids, got {tuple(targets.shape)}")
    if same := (targets == data.labels).nonzero().flatten().tolist():
        raise InputError(f"target of sample {int(data.ids[same[0]])} is its own label")
