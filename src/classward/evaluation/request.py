"""What is asked of `run_attack`: whether it can be, and how the record remembers it."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, get_args

from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Attack, Precision, SampleLoss
from classward.data.split import Split
from classward.evaluation.invariants import name_of
from classward.evaluation.judge import Judge, Model, model_digest
from classward.records.shards import shard_size

GIVEN = "given by the caller"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One attack with everything it is given.

    Attributes:
        judge: The classifier and the data, in the order of the ids.
        attack: The attack.
        gradient_model: What the attack asks.
        reason: Why that.
        mode: Precision of that; "fast" where each success is confirmed in float32.
        loss: What it climbs; its own where `None`.
        targets: The class each sample is to reach, if any.
        until: "first_success", or `None` for the final iterate.
        ingredients: What `attack.needs` names.
        restarts: Runs, each on the survivors.
        seed: Seed of the run.
        batch_size: Images at once.
        save_images: Whether the adversarial images are kept.
    """

    judge: Judge
    attack: Attack
    gradient_model: Model
    reason: str
    mode: Precision
    loss: SampleLoss | None
    targets: Tensor | None
    until: Literal["first_success"] | None
    ingredients: dict[str, Any]
    restarts: int
    seed: int
    batch_size: int
    save_images: bool


def settings_of(asked: Request) -> dict[str, Any]:
    """What was asked, so that only the same question is resumed."""
    ball = getattr(asked.attack, "ball", None)
    data = asked.judge.data
    return {
        "attack": repr(asked.attack),
        "attack_name": name_of(asked.attack),
        "eps": None if ball is None else ball.eps,
        "norm": getattr(asked.attack, "norm", None) if ball is None else ball.norm,
        "loss": None
        if asked.loss is None
        else getattr(asked.loss, "__name__", repr(asked.loss)),
        "targeted": asked.targets is not None,
        "until": asked.until,
        "ingredients": {name: _named(value) for name, value in asked.ingredients.items()},
        "restarts": asked.restarts,
        "seed": asked.seed,
        "batch_size": asked.batch_size,
        "shard_samples": shard_size(len(data), asked.batch_size),
        "images": asked.save_images,
        "mode": asked.mode,
        "gradient_model": asked.reason,
        "device": asked.judge.device,
        "model": model_digest(asked.judge.model),
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
        "class_names": asked.judge.class_names,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    names = ("classward", "torch", "numpy")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


def _named(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_named, value))
    if isinstance(value, Tensor):
        pixels = value.detach().cpu().contiguous().numpy().tobytes()
        summed = hashlib.sha256(f"{value.dtype}".encode() + pixels).hexdigest()
        return f"tensor {tuple(value.shape)}, sha256 {summed}"
    return model_digest(value) if callable(value) else repr(value)


def check_request(
    attack: Attack,
    precision: Precision,
    ingredients: Mapping[str, Any],
    restarts: int,
    batch_size: int,
    targets: Tensor | None,
    data: Split,
) -> None:
    """Refuse what cannot be asked.

    Raises:
        InputError: If counts, ingredients or targets do not fit.
    """
    if restarts < 1 or batch_size < 1:
        raise InputError(f"restarts={restarts}, batch_size={batch_size}: each at least 1")
    if precision not in get_args(Precision):
        raise InputError(f"precision {precision!r}: expected 'exact' or 'fast'")
    if wrong := attack.needs ^ ingredients.keys():
        raise InputError(
            f"{name_of(attack)} needs ingredients {sorted(attack.needs)}, "
            f"got {sorted(ingredients)}: {sorted(wrong)[0]!r} is the difference"
        )
    if targets is None:
        return
    fits = targets.shape == data.labels.shape and not targets.is_floating_point()
    if not fits or (targets < 0).any():
        raise InputError(f"targets must be {len(data)} class ids, got {tuple(targets.shape)}")
    if same := (targets == data.labels).nonzero().flatten().tolist():
        raise InputError(f"target of sample {int(data.ids[same[0]])} is its own label")
