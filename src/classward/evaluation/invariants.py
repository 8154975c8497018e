"""What must hold of every batch an attack hands back (I1 to I9).

Each is written so that NaN fails it. An attack proposes; these checks, the evaluator's own
forward pass and nothing else decide.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from classward.core.errors import InputError, InvariantError
from classward.core.types import Images

TOLERANCE = 1e-6  # largest legitimate excess seen: 2e-8 (l-inf), 2e-7 (l2)


def name_of(attack: Any) -> str:
    """What to call an attack: its own name, if it goes by one, or its class."""
    return str(getattr(attack, "name", type(attack).__name__))


def check_logits(logits: Any, ids: Tensor, classes: int | None) -> None:
    """I6: one finite row of logits for each sample, and logits they are.

    Raises:
        InputError: If the shape is wrong, a value is not finite, or rows are probabilities.
    """
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(ids):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError(f"model must return logits of shape ({len(ids)}, k), got {shape}")
    if logits.shape[1] < 2:
        raise InputError("model returns 1 logit for each image, expected one for each class")
    if classes is not None and logits.shape[1] != classes:
        raise InputError(
            f"model returns {logits.shape[1]} logits, the data have {classes} classes"
        )
    if wrong := (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist():
        raise InputError(
            f"model returned logits that are not finite for sample {int(ids[wrong[0]])}"
        )
    rows = logits.double().sum(dim=1)
    if len(logits) and (logits >= 0).all() and ((rows - 1).abs() < 1e-4).all():
        raise InputError(
            "model returns probabilities (rows in [0, 1] that sum to 1); remove its softmax"
        )


def check_images(images: Images, ids: Tensor) -> None:
    """Clean images: finite float32 in [0, 1].

    Raises:
        InputError: If one is not.
    """
    flat = images.flatten(1)
    fine = ((flat >= 0) & (flat <= 1)).all(dim=1)
    if wrong := (~fine).nonzero().flatten().tolist():
        raise InputError(
            f"pixels of sample {int(ids[wrong[0]])} are not in [0, 1]; normalisation belongs "
            "into the model"
        )


def check_adversarial(attack: Any, adversarial: Any, images: Images, ids: Tensor) -> None:
    """I1, I3, I4, I9: shape and type of the input, in the box, in the ball (eps 0: unchanged).

    Raises:
        InvariantError: If one does not hold; the attack and the first sample are named.
    """
    name = name_of(attack)
    same = isinstance(adversarial, Tensor) and (
        (adversarial.shape, adversarial.dtype, adversarial.device)
        == (images.shape, images.dtype, images.device)
    )
    if not same:
        raise InvariantError(f"{name} changed shape, type or device of the images")
    flat = adversarial.flatten(1)
    if wrong := (~((flat >= 0) & (flat <= 1)).all(dim=1)).nonzero().flatten().tolist():
        raise InvariantError(f"{name} left [0, 1] at sample {int(ids[wrong[0]])}")
    ball = getattr(attack, "ball", None)
    if ball is None:
        return
    distance = ball.distance(adversarial, images)
    allowed = ball.eps + TOLERANCE if ball.eps > 0 else 0.0
    if wrong := (~(distance <= allowed)).nonzero().flatten().tolist():
        far = float(distance[wrong[0]])
        raise InvariantError(f"{name} left {ball}: sample {int(ids[wrong[0]])} at {far:.6g}")


def fingerprint(*models: Callable[[Tensor], Tensor]) -> tuple[object, ...]:
    """I5: what an attack must leave as it is: mode, versions, gradients of every tensor."""
    modules = [model for model in models if isinstance(model, nn.Module)]
    modes = tuple(layer.training for module in modules for layer in module.modules())
    tensors = (t for m in modules for t in (*m.parameters(), *m.buffers()))
    state = tuple((id(t), t._version, t.requires_grad, t.grad is None) for t in tensors)
    return (modes, state)


def check_untouched(attack: Any, before: object, after: object, kept: bool) -> None:
    """I5: images and model as they were.

    Raises:
        InvariantError: If not.
    """
    name = name_of(attack)
    if not kept:
        raise InvariantError(f"{name} wrote into the clean images")
    if before != after:
        raise InvariantError(f"{name} changed the model: its mode, weights or gradients")


def without_failures(
    attack: Any, adversarial: Any, images: Images
) -> tuple[Images, Bool[Tensor, " n"]]:
    """I2: an image that is not finite is a failure: marked, and the clean one stands in."""
    if not isinstance(adversarial, Tensor) or adversarial.shape != images.shape:
        raise InvariantError(f"{name_of(attack)} changed the shape of the images")
    finite = adversarial.flatten(1).isfinite().all(dim=1)
    if finite.all():
        return adversarial, ~finite
    return torch.where(finite[:, None, None, None], adversarial, images), ~finite
