"""Logits and classes from outside, checked before anything is learned from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, column_or_1d, validate_data
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
    check_shape(tuple(logits.shape), name, classes)
    check_logits([logits], name)
    return logits


def read_given(estimator: BaseEstimator, table: Any, *, fitting: bool) -> Logits:
    """What an estimator is given as X, refused in scikit-learn's words where it is no table.

    Args:
        estimator: Whose `fit` it is, or which was fitted.
        table: Logits, n x k.
        fitting: Whether its columns are news; else they must be those of the fit.

    Raises:
        InputError: If it is no table of logits.
        TypeError: If it holds what is no number, or is sparse.
    """
    if isinstance(table, Tensor):
        table = table.detach().cpu().numpy()
    rules = {"dtype": np.float32, "ensure_all_finite": False}
    try:
        with np.errstate(over="ignore"):  # becomes inf, which is refused with its row
            if fitting:
                few = {"ensure_min_features": 2, "input_name": "X", "estimator": estimator}
                read = check_array(table, **few, **rules)
            else:
                none = {"ensure_min_samples": 0, "reset": False}
                read = validate_data(estimator, table, **none, **rules)
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from None
    return read_logits(read, "X")


def check_shape(shape: tuple[int, ...], name: str, classes: int | None = None) -> None:
    """Refuse a table that is not samples x classes, or not of so many classes.

    Raises:
        InputError: If it is not.
    """
    if len(shape) != 2 or shape[1] < 2:
        raise InputError(f"{name}: expected logits, samples x classes, got shape {shape}")
    if classes is not None and shape[1] != classes:
        raise InputError(f"{name}: {shape[1]} logits for each sample, not {classes}")


def check_logits(parts: Iterable[Logits], name: str) -> None:
    """Refuse what no classifier gives before its softmax.

    Args:
        parts: A table of logits, a few rows at a time.
        name: What to call the table in an error.

    Raises:
        InputError: If a value is not finite, or all rows are probabilities.
    """
    first, shares = 0, True
    for logits in parts:
        if wrong := (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist():
            row = first + wrong[0]
            raise InputError(f"{name}: the logits of row {row} are not finite (NaN, inf)")
        shares = shares and bool((logits >= 0).all())
        shares = shares and bool(((logits.sum(dim=1) - 1).abs() < 1e-4).all())
        first += len(logits)
    if first and shares:
        raise InputError(f"{name}: rows sum to 1, so are probabilities; give their logarithms")


def read_labels(labels: ArrayLike | None, logits: Logits) -> Labels:
    """One class id for each row of `logits`.

    Raises:
        InputError: If they are not.
    """
    if labels is None:
        raise InputError("fit requires y to be passed, but the target y is None")
    ids = _array(labels, None, "y")
    if ids.dtype.kind == "f" and np.isfinite(ids).all() and np.array_equal(ids, ids.round()):
        ids = ids.astype(np.int64)
    if ids.dtype.kind not in "iu":
        raise InputError(f"y: Unknown label type: expected class ids, got {ids.dtype}")
    if ids.shape == (len(logits), 1):
        ids = column_or_1d(ids, warn=True)
    if ids.shape != (len(logits),):
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
