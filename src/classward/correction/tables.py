"""Logits and classes from outside, checked before anything is learned from them."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Labels, Logits


def read_logits(table: ArrayLike, name: str, classes: int | None = None) -> Logits:
    """A table of logits in float32.

    Args:
        table: Logits, n x k.
        name: What to call the table in an error.
        classes: The k that is expected, if one is.

    Raises:
        InputError: If it is no such table, or holds probabilities or values not finite.
    """
    logits = torch.from_numpy(_array(table, np.float32, name))
    if logits.ndim != 2 or logits.shape[1] < 2:
        shape = tuple(logits.shape)
        raise InputError(f"{name}: expected logits, samples x classes, got shape {shape}")
    if classes is not None and logits.shape[1] != classes:
        raise InputError(f"{name}: {logits.shape[1]} logits for each sample, not {classes}")
    if wrong := (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist():
        raise InputError(f"{name}: the logits of row {wrong[0]} are not finite; leave it out")
    if len(logits) and (logits >= 0).all() and ((logits.sum(dim=1) - 1).abs() < 1e-4).all():
        raise InputError(f"{name}: rows sum to 1, so are probabilities; give their logarithms")
    return logits


def read_labels(labels: ArrayLike, logits: Logits) -> Labels:
    """One class id for each row of `logits`.

    Raises:
        InputError: If they are not.
    """
    ids = _array(labels, None, "y")
    if ids.shape != (len(logits),) or ids.dtype.kind not in "iu":
        got = f"{ids.dtype} of shape {ids.shape}"
        raise InputError(f"y: expected {len(logits)} class ids, one for each row, got {got}")
    last = logits.shape[1] - 1
    if wrong := np.flatnonzero((ids < 0) | (ids > last)).tolist():
        raise InputError(f"y: {ids[wrong[0]]} of row {wrong[0]} is not in 0..{last}")
    return torch.from_numpy(ids.astype(np.int64))


def _array(values: ArrayLike, dtype: type | None, name: str) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    try:
        with np.errstate(over="ignore"):  # becomes inf, which is refused with its row
            return np.require(values, dtype, ["C", "W"])
    except (TypeError, ValueError):
        raise InputError(f"{name}: expected numbers, got {type(values).__name__}") from None
