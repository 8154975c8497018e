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
    if (wrong := _first_outside(images)) is not None:
        raise InputError(
            f"pixels of sample {int(ids[wrong])} are not in [0, 1]; normalisation belongs "
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
    if (wrong := _first_outside(adversarial)) is not None:
        raise InvariantError(f"{name} left [0, 1] at sample {int(ids[wrong])}")
    ball = getattr(attack, "ball", None)
    if ball is None:
        return
    distance = ball.distance(adversarial, images)
    allowed = ball.eps + TOLERANCE if ball.eps > 0 else 0.0
    if wrong := (~(distance <= allowed)).nonzero().flatten().tolist():
        far = float(distance[wrong[0]])
        raise InvariantError(f"{name} left {ball}: sample {int(ids[wrong[0]])} at {far:.6g}")


def _first_outside(images: Images) -> int | None:
    """The first image with a pixel that is not in [0, 1]; one pass where there is none."""
    if len(images) == 0:
        return None
    least, most = images.aminmax()
    if least >= 0 and most <= 1:  # of NaN neither is true
        return None
    flat = images.flatten(1)
    return int((~((flat >= 0) & (flat <= 1)).all(dim=1)).nonzero()[0])


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
    if len(images) > 0 and adversarial.sum().isfinite():  # one pass where all are
        return adversarial, torch.zeros(len(images), dtype=torch.bool, device=images.device)
    finite = adversarial.flatten(1).isfinite().all(dim=1)
    if finite.all():
        return adversarial, ~finite
    return torch.where(finite[:, None, None, None], adversarial, images), ~finite
