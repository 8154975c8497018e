"""SVHN: street view house numbers, cropped digits, 32x32 RGB.

Source: Netzer et al., "Reading digits in natural images with unsupervised feature learning",
NIPS workshop 2011, format 2. Its files call the digit 0 "10"; here it is class 0.
"""

from pathlib import Path

import numpy as np

from classward.core.errors import InputError
from classward.data.archives import LARGEST_FILE, reading
from classward.data.files import download, find
from classward.data.split import Split

URL = "http://ufldl.stanford.edu/housenumbers/"  # the digest vouches for what comes
SPLITS = {
    "train": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
}


def load(split: str, root: Path | None = None) -> Split:
    """The published `train_32x32.mat` and `test_32x32.mat`.

    Raises:
        InputError: If a file is damaged.
        SystemFaultError: If there is none, and it cannot be downloaded.
    """
    from scipy.io import loadmat, whosmat

    file = f"{split}_32x32.mat"
    path = find([f"svhn/{file}", file], root) or download(URL + file, SPLITS[split], "svhn")
    with reading(path):
        shapes = {name: shape for name, shape, _ in whosmat(path)}
        count = shapes.get("y", (0,))[0]
        if shapes.get("X") != (32, 32, 3, count) or 3072 * count > LARGEST_FILE:
            raise InputError(f"{path} has no X of shape (32, 32, 3, n) and y of n labels")
        table = loadmat(path, variable_names=["X", "y"])
    labels = table["y"].ravel()
    images = np.transpose(table["X"], (3, 2, 0, 1))
    digits = np.where(labels == 10, 0, labels)
    return Split(images, digits, [str(digit) for digit in range(10)], name="svhn")
