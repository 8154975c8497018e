"""Pairs of idx files, images and labels: the format of MNIST and its relatives.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
Not to be confused with: each other. The sets share their file names, so that a file in the
wrong folder would pass for the other set; the published pixels are known by their digests.
"""

import gzip
import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from classward.core.errors import InputError
from classward.data.archives import LARGEST_FILE, reading
from classward.data.files import download

PREFIXES = {"train": "train", "test": "t10k"}  # our name of a split: theirs
OWNERS = {
    "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757": "mnist",
    "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161": "mnist",
    "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012": "fashion_mnist",
    "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a": "fashion_mnist",
}


def image_files(split: str, folders: Iterable[str]) -> list[str]:
    """Where the images of a split may be below a data folder, plain or packed."""
    file = f"{PREFIXES[split]}-images-idx3-ubyte"
    return [f"{folder}/{file}{ending}" for folder in folders for ending in ("", ".gz")]


def download_pair(split: str, url: str, sha256: Mapping[str, str], folder: str) -> Path:
    """Bring both files of a split into `folder` of the user's folder; return the images.

    Raises:
        SystemFaultError: If one cannot be had.
    """
    prefix = PREFIXES[split]
    labels, images = f"{prefix}-labels-idx1", f"{prefix}-images-idx3"
    download(f"{url}{labels}-ubyte.gz", sha256[labels], folder)
    return download(f"{url}{images}-ubyte.gz", sha256[images], folder)


def read_pair(
    name: str, path: Path
) -> tuple[UInt8[np.ndarray, "n 1 h w"], UInt8[np.ndarray, " m"]]:
    """Images, with their one channel, and labels of the file that lies beside them.

    Raises:
        InputError: If a file is missing or damaged, or the images are those of another set.
    """
    images = read_idx(path, dimensions=3)
    owner = OWNERS.get(hashlib.sha256(images.tobytes()).hexdigest(), name)
    if owner != name:
        raise InputError(f"{path} holds the images of {owner}, not of {name}")
    stem = path.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    candidates = [path.with_name(stem), path.with_name(f"{stem}.gz")]
    present = [candidate for candidate in candidates if candidate.exists()]
    return images[:, None], read_idx((present or candidates)[0], dimensions=1)


def read_idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """An array of unsigned bytes, from a plain file or a `.gz`.

    Raises:
        InputError: If it is none, has other dimensions, or is longer or shorter than it says.
    """
    with reading(path), (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        magic, sizes = file.read(4), file.read(4 * dimensions)
        if magic != bytes([0, 0, 8, dimensions]) or len(sizes) < 4 * dimensions:
            raise InputError(f"{path} is no idx file of bytes in {dimensions} dimensions")
        shape = np.frombuffer(sizes, ">u4").tolist()
        if math.prod(shape) > LARGEST_FILE:
            raise InputError(f"{path} is refused: it says it holds over 1 GiB")
        content = file.read(math.prod(shape) + 1)
    if len(content) != math.prod(shape):
        raise InputError(f"{path} says it holds {math.prod(shape)} bytes, but does not")
    return np.frombuffer(content, np.uint8).reshape(shape)
