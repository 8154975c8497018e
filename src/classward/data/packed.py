"""Whole data sets packed in one zip: as lossless strips, or as encoded pictures in a blob."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from torch import Tensor

from classward.core.errors import InputError
from classward.data.archives import opened_zip, read_array
from classward.data.pictures import decode, decode_batch
from classward.data.split import Split


def read_strips(
    path: Path, split: str, size: int, channels: int
) -> tuple[UInt8[np.ndarray, "n c h w"], np.ndarray]:
    """Images and labels of a zip of lossless WebP strips, square images on top of each other.

    The members are `SPLIT_labels.npy` and, in order, `SPLIT_000.webp`, `SPLIT_001.webp`, ...
    A gray image is stored with equal channels.

    Raises:
        InputError: If a member is missing or damaged, or images and labels differ in number.
    """
    strips = [np.empty((0, channels, size, size), np.uint8)]
    with opened_zip(path) as archive:
        labels = read_array(archive, f"{split}_labels.npy")
        for name in sorted(archive.namelist()):
            if name.startswith(f"{split}_") and name.endswith(".webp"):
                content = BytesIO(archive.read(name))
                strip = decode(content, f"{path}, {name}", 3)[:channels]
                if strip.shape[1] % size or strip.shape[2] != size:
                    raise InputError(f"{path}: {name} is no column of {size}x{size} images")
                images = strip.reshape(channels, -1, size, size).swapaxes(0, 1)
                strips.append(np.ascontiguousarray(images))
    images = np.concatenate(strips)
    if len(images) != labels.size:
        raise InputError(f"{path} has {len(images)} {split} images, but {labels.size} labels")
    return images, labels


@dataclass(frozen=True)
class EncodedImages:
    """Square RGB pictures, one after the other in a blob; decoded when a batch asks for them.

    Attributes:
        source: What to call them in an error.
        blob: Their bytes.
        offsets: Where each begins, and where the last ends.
        side: Their width and height, in pixels.
    """

    source: str
    blob: bytes
    offsets: Int64[np.ndarray, " n_plus_1"]
    side: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def batch(self, positions: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """The pictures at these positions.

        Raises:
            InputError: If one cannot be decoded, or has another size.
        """
        starts, ends = self.offsets[:-1], self.offsets[1:]
        where = positions.tolist()
        sources = [BytesIO(self.blob[starts[i] : ends[i]]) for i in where]
        names = [f"{self.source}, image {i}" for i in where]
        return decode_batch(sources, names, (3, self.side, self.side))


def read_encoded(name: str, path: Path, *, blob: str, prefix: str, side: int) -> Split:
    """A zip of one blob of encoded pictures, its offsets, its labels and `classes.json`.

    Args:
        name: What to call the data.
        path: The zip.
        blob: The member with the pictures.
        prefix: What the names of the members `offsets.npy` and `labels.npy` begin with.
        side: Width and height of every picture, in pixels.

    Raises:
        InputError: If a member is missing or damaged.
    """
    with opened_zip(path) as archive:
        offsets, labels = (
            read_array(archive, f"{prefix}{part}.npy") for part in ("offsets", "labels")
        )
        pictures = archive.read(blob)
        class_names = named(json.loads(archive.read("classes.json")))
        offsets = offsets.astype(np.int64)
    bounds = np.concatenate([[0], offsets.ravel(), [len(pictures)]])
    if offsets.ndim != 1 or (np.diff(bounds) < 0).any():
        raise InputError(f"{path}: {prefix}offsets.npy does not fit {blob}")
    images = EncodedImages(path.name, pictures, offsets, side)
    return Split(images, labels, class_names, name=name)


def named(rows: Sequence[Sequence[str]]) -> list[str]:
    """Class names of rows of WordNet number and names, with commas between the names.

    The first name of each class, and its WordNet number where two classes share it.
    """
    words = [names.partition(",")[0] for _, names in rows]
    counts = Counter(words)
    return [
        word if counts[word] == 1 else f"{word} ({entry})"
        for word, (entry, _) in zip(words, rows, strict=True)
    ]
