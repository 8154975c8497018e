"""The binary files of CIFAR-10 and CIFAR-100: label bytes, then 3x32x32 pixel bytes.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the
description of the binary version on its page.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from classward.core.errors import InputError
from classward.data.archives import read_members

SIDE = 32


def read_batches(
    path: Path, names: Sequence[str], label_bytes: int
) -> tuple[UInt8[np.ndarray, "n 3 32 32"], UInt8[np.ndarray, " n"]]:
    """Images and labels of these files of a folder or a `.tar.gz`, one after the other.

    Args:
        path: The folder or the archive.
        names: Its files.
        label_bytes: Labels of each image, from the coarsest to the finest, which is returned.

    Raises:
        InputError: If a file is missing or damaged.
    """
    length = label_bytes + 3 * SIDE * SIDE
    contents = read_members(path, names)
    for name, content in zip(names, contents, strict=True):
        if not content or len(content) % length:
            raise InputError(f"{path}: {name} is damaged, {len(content)} bytes are no images")
    records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, length)
    return records[:, label_bytes:].reshape(-1, 3, SIDE, SIDE), records[:, label_bytes - 1]
