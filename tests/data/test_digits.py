import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from classward.data.digits import load


@pytest.fixture(scope="module")
def splits():
    return {split: load(split) for split in ("train", "test")}


def test_parts_are_disjoint_complete_and_stratified(splits):
    ids = torch.cat([splits["train"].ids, splits["test"].ids])
    assert [len(part) for part in splits.values()] == [1200, 597]
    assert ids.sort().values.tolist() == [*range(1797)]
    shares = [part.labels.bincount() / len(part) for part in splits.values()]
    assert (shares[0] - shares[1]).abs().max() < 0.002


@pytest.mark.parametrize("split", ["train", "test"])
def test_values_are_exact_sixteenths(splits, split):
    whole, part = load_digits(), splits[split]
    images = part.batch(torch.arange(len(part))).double()
    assert np.array_equal(images[:, 0] * 16, whole.images[part.ids])
    assert np.array_equal(part.labels, whole.target[part.ids])
    assert images.max() == 1 and part.shape == (1, 8, 8)


def test_parts_are_the_same_ones_for_ever(splits):
    """Results on them stand in papers: a change of the split would change them silently."""
    digest = hashlib.sha256(splits["test"].ids.numpy().astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "6b9db8ad10d9e717"
    assert splits["test"].ids[:6].tolist() == [1, 4, 10, 21, 24, 25]
