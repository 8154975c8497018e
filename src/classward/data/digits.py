"""Digits: 1,797 handwritten digits, 8x8 gray, 17 levels; they come with scikit-learn.

Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998
(the test part of it). The ids are positions in scikit-learn's order.
"""

from pathlib import Path

import numpy as np

from classward.data.split import Split

SPLITS = {"train": 1200, "test": 597}  # stratified; fixed once and for all


def load(split: str, root: Path | None = None) -> Split:
    """1,200 training or 597 test images, in scikit-learn's order; needs no file."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    values, labels = load_digits(return_X_y=True)
    order = np.arange(len(labels))
    parts = train_test_split(order, train_size=1200, stratify=labels, random_state=0)
    ids = np.sort(parts[list(SPLITS).index(split)])
    images = values[ids].reshape(-1, 1, 8, 8) / 16
    return Split(images, labels[ids], [*map(str, range(10))], ids=ids, name="digits")
