"""Data of the user's own: an `.npz` file, or what a function of a Python file returns."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from classward.core.errors import ClasswardError, InputError
from classward.core.user_file import user_function
from classward.data.archives import opened_zip, read_array
from classward.data.split import Split


def read_npz(path: Path, split: str = "test") -> Split:
    """Arrays `images` and `labels`, and if present `class_names` and `ids`.

    Where the file holds several parts, their arrays are `train_images`, `test_images`, ...

    Raises:
        InputError: If an array is missing, holds Python objects, or is no such thing.
    """
    with opened_zip(path) as archive:
        members = archive.namelist()
        prefix = f"{split}_" if f"{split}_images.npy" in members else ""
        images, labels = (
            read_array(archive, f"{prefix}{name}.npy") for name in ("images", "labels")
        )
        ids, names = (
            read_array(archive, f"{name}.npy") if f"{name}.npy" in members else None
            for name in (f"{prefix}ids", "class_names")
        )
        class_names = None if names is None else names.astype(str).tolist()
    return Split(images, labels, class_names, ids=ids, name=path.stem)


def call_function(name: str, split: str = "test") -> Split:
    """What a function returns as `FILE.py:FUNCTION`.

    It may return (images, labels), (images, labels, class_names), a `Split`, a torch `Dataset`
    of (image, label) or a `DataLoader` of such batches, which is read into memory. It is called
    with `split=` if it has such a parameter, else without arguments.

    Raises:
        InputError: If there is no such function, it raises, or it returns something else.
    """
    file, _, function = name.rpartition(":")
    with _blaming(file):
        call = user_function(file, function)
    with _blaming(name):
        wants_split = "split" in inspect.signature(call).parameters
        made = call(split=split) if wants_split else call()
    if isinstance(made, Split):
        return made
    if isinstance(made, tuple | list) and len(made) in (2, 3):
        return Split(*made, name=function)
    if isinstance(made, DataLoader):
        with _blaming(name):
            return Split(*_read_loader(made), name=function)
    if isinstance(made, Dataset) and hasattr(made, "__len__"):
        return _split_of(made, name, function)
    raise InputError(
        f"{name} returned a {type(made).__name__}: return (images, labels), a Split, "
        "a Dataset with a length or a DataLoader"
    )


@dataclass(frozen=True)
class DatasetImages:
    """The images of a torch data set, asked for when a batch needs them.

    Attributes:
        dataset: Has (image, label, ...) at each position; images are CHW tensors.
        source: What to call it in an error.
    """

    dataset: Any
    source: str

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, positions: Int64[Tensor, " n"]) -> Tensor:
        """The images at these positions, as the data set has them."""
        with _blaming(self.source):
            images = [self.dataset[position][0] for position in positions.tolist()]
            return torch.stack(images)


def _split_of(dataset: Any, source: str, name: str) -> Split:
    with _blaming(source):
        labels = np.stack([np.asarray(dataset[row][1]) for row in range(len(dataset))])
    classes = getattr(dataset, "classes", None)  # as torchvision's sets have them
    names = classes if isinstance(classes, list | tuple) else None
    return Split(DatasetImages(dataset, source), labels, names, name=name)


def _read_loader(loader: DataLoader[Any]) -> tuple[Tensor, Tensor]:
    if isinstance(loader.sampler, RandomSampler) or loader.drop_last:
        raise InputError("a DataLoader must keep order and number: no shuffle, no drop_last")
    images, labels = zip(*((batch[0], batch[1]) for batch in loader), strict=True)
    return torch.cat(images), torch.cat(labels)


@contextmanager
def _blaming(source: str) -> Iterator[None]:
    """Tell in one line what the user's code raised; it may be anything."""
    try:
        yield
    except ClasswardError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{source} failed: {said[:120]}") from error
