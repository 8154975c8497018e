"""Labelled images with ids: in memory, or read when a batch asks for them."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, Protocol

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Images
from classward.data.labels import checked_ids, checked_labels
from classward.data.pixels import checked_images, unit

CHUNK = 128  # images held at once where a digest passes over all of them


class Stream(Protocol):
    """Images that are not held in memory."""

    def __len__(self) -> int: ...

    def batch(self, positions: Int64[Tensor, " n"]) -> Shaped[Tensor, "n c h w"]:
        """The images at these positions, in this order: floats in [0, 1], or uint8."""
        ...


class Split:
    """Checked samples of one part of a data set, such as its test part.

    Args:
        images: NCHW array or tensor, uint8 or floats in [0, 1], or a `Stream`. Bytes stay bytes
            in memory and are not copied; floats become float32.
        labels: One class number in 0..k-1 for each image.
        class_names: Names of all k classes; a class may have no sample. `None` makes k the
            largest label plus one.
        ids: What identifies each sample in records and random streams; `None` numbers them.
        name: What to call the data.

    Raises:
        InputError: If something is no such thing; the first offending sample is named.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        class_names: Sequence[str] | None = None,
        *,
        ids: Any = None,
        name: str = "data",
    ) -> None:
        streamed = hasattr(images, "batch")
        with _naming(name):
            self.ids = checked_ids(ids, _count(images))
            self.labels, self.class_names = checked_labels(labels, self.ids, class_names)
            self._images = images if streamed else checked_images(images, self.ids)
        self.name = name
        self._rows = torch.arange(len(self.ids))
        self.shape: tuple[int, ...] = tuple(self._stored(self._rows[:1]).shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes k, those without a sample included."""
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"Split({self.name}: {len(self)} images of {shape}, {self.classes} classes)"

    def batch(self, positions: Int64[Tensor, " n"]) -> Images:
        """The images at these positions, as float32 in [0, 1].

        Raises:
            InputError: If a streamed image is not in [0, 1], or cannot be read.
        """
        if not len(positions):
            return torch.empty(0, *self.shape)
        return unit(self._stored(positions))

    def select(self, positions: Int64[Tensor, " m"]) -> "Split":
        """The samples at these positions, in this order; they keep their ids.

        Raises:
            InputError: If there are none, or one comes twice.
        """
        part = copy.copy(self)
        part.ids, part.labels = self.ids[positions], self.labels[positions]
        part._rows = self._rows[positions]
        if not 0 < len(positions) == len(part.ids.unique()):
            raise InputError(f"{self.name}: select at least one position, and none twice")
        return part

    def take(self, samples: int | str) -> "Split":
        """A smaller split, in the data set's own order.

        Args:
            samples: N takes the first ceil(N / k) images of each class, and of a class with
                fewer all it has. "first:N" takes the first N images. Text "N" is N.

        Raises:
            InputError: If that is not asked for so, or there are fewer than N images.
        """
        words = str(samples).removeprefix("first:")
        if isinstance(samples, bool) or not words.isdecimal() or int(words) == 0:
            raise InputError(f"samples must be a count N or 'first:N', got '{samples}'")
        if int(words) > len(self):
            raise InputError(f"samples={samples}, but {self.name} has only {len(self)} images")
        if words != str(samples):
            return self.select(torch.arange(int(words)))
        kept = self._rank_in_class() < ceil(int(words) / self.classes)
        return self.select(kept.nonzero().flatten())

    def digest(self) -> str:
        """SHA-256 of the pixels as they are stored, the labels and the ids, as hexadecimal."""
        total = hashlib.sha256(repr((len(self), self.shape)).encode())
        for positions in torch.arange(len(self)).split(CHUNK):
            total.update(self._stored(positions).numpy().tobytes())
        total.update(self.labels.numpy().tobytes())
        total.update(self.ids.numpy().tobytes())
        return total.hexdigest()

    def _stored(self, positions: Int64[Tensor, " n"]) -> Tensor:
        rows = self._rows[positions]
        if isinstance(self._images, Tensor):
            return self._images[rows]
        with _naming(self.name):
            pixels = checked_images(self._images.batch(rows), self.ids[positions])
            if len(pixels) != len(rows):
                raise InputError(f"asked for {len(rows)} images, the stream gave {len(pixels)}")
        return pixels

    def _rank_in_class(self) -> Int64[Tensor, " n"]:
        order = self.labels.argsort(stable=True)
        counts = self.labels.bincount(minlength=self.classes)
        starts = (counts.cumsum(0) - counts)[self.labels[order]]
        return torch.empty_like(order).scatter(0, order, torch.arange(len(order)) - starts)


def _count(images: Any) -> int:
    try:
        count = len(images)
    except TypeError:
        raise InputError(f"images must be an array, got {type(images).__name__}") from None
    if count == 0:
        raise InputError("there are no images")
    return count


@contextmanager
def _naming(data: str) -> Iterator[None]:
    """Say which data a complaint is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{data}: {error}") from error
