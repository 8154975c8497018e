"""Tiny ImageNet: photographs of 200 classes, 64x64 RGB.

Source: Stanford CS231n, "Tiny ImageNet visual recognition challenge", 2015. The test split is
the published validation part, whose labels are known; the training split has the first 50
images of each class. A class is the rank of its WordNet number.
"""

from pathlib import Path

from classward.data.files import absent, find
from classward.data.packed import read_encoded
from classward.data.split import Split

SPLITS = {"train": "train", "test": "val"}


def load(split: str, root: Path | None = None) -> Split:
    """Images of `tiny_imagenet.zip`, decoded batch by batch.

    Raises:
        InputError: If the file is damaged.
        SystemFaultError: If there is none; it cannot be downloaded.
    """
    path = find(["tiny_imagenet.zip"], root)
    if path is None:
        raise absent("tiny_imagenet.zip")
    part = SPLITS[split]
    return read_encoded("tiny_imagenet", path, blob=f"{part}.bin", prefix=f"{part}_", side=64)
