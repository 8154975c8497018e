"""What may be a label, a class name and a sample id; each is checked once, when it comes in."""

import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Labels

MOST_CLASSES = 1 << 16  # a larger number is no class, unless the classes are named


def checked_ids(ids: Any, count: int) -> Int64[Tensor, " n"]:
    """Sample ids, at least 0 and all different; 0..count-1 when none are given.

    Raises:
        InputError: If they are not; the first offender is named.
    """
    if ids is None:
        return torch.arange(count)
    numbers = _integers(ids, "ids", count)
    if numbers.min() < 0:
        first = int((numbers < 0).nonzero()[0])
        raise InputError(f"ids[{first}] is {numbers[first]}: an id is at least 0")
    order = numbers.argsort(stable=True)
    again = order[1:][numbers[order].diff() == 0]
    if len(again):
        first = int(again.min())
        raise InputError(f"ids[{first}] is {numbers[first]} again: ids must be unique")
    return numbers


def checked_labels(
    labels: Any, ids: Int64[Tensor, " n"], class_names: Any
) -> tuple[Labels, list[str]]:
    """Class numbers in 0..k-1 and k class names; a class may have no sample.

    Without class names, k is the largest label plus one, and the numbers are the names.

    Raises:
        InputError: If a label is no class; the id of the first such sample is named.
    """
    numbers = _integers(labels, "labels", len(ids))
    names = None if class_names is None else _names(class_names)
    classes = MOST_CLASSES if names is None else len(names)
    outside = (numbers < 0) | (numbers >= classes)
    if outside.any():
        first = int(outside.nonzero()[0])
        source = "no" if names is None else classes
        raise InputError(
            f"the label of sample {ids[first]} is {numbers[first]}, "
            f"expected 0..{classes - 1} ({source} class names given)"
        )
    names = names or [str(number) for number in range(int(numbers.max()) + 1)]
    if len(names) < 2:
        raise InputError("there is only one class: name all of them with class_names=[...]")
    return numbers, names


def _integers(values: Any, what: str, count: int) -> Int64[Tensor, " n"]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{what} must be a flat list of integers, got a ragged one") from None
    if array.ndim == 2 and len(array) == count:
        fix = f"{what}.argmax(1)" if array.shape[1] > 1 else f"{what}.flatten()"
        raise InputError(f"{what} have shape {array.shape}, expected ({count},): {fix}")
    if array.shape != (count,):
        raise InputError(f"{what} have shape {array.shape}, but there are {count} images")
    if array.dtype.kind not in "iu":
        fix = f"numpy.asarray({what}, dtype=int)"
        raise InputError(f"{what} must be integers, got {array.dtype}: {fix}")
    return torch.from_numpy(array.astype(np.int64))


def _names(class_names: Any) -> list[str]:
    iterable = isinstance(class_names, Iterable) and not isinstance(class_names, str)
    names = list(class_names) if iterable else []
    if not names:
        raise InputError("class_names must be a list of names, one for each class")
    for number, name in enumerate(names):
        if not isinstance(name, str) or name != name.encode(errors="ignore").decode():
            raise InputError(f"class_names[{number}] must be text, got {reprlib.repr(name)}")
    return [str(name) for name in names]
