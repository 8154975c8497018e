"""The matrix whose measures are known in closed form, and records with given counts."""

import pytest
import torch
from torch.nn.functional import one_hot

from classward.records.record import Record


@pytest.fixture
def matrix4():
    """Rows sum to 1; per mille it is a table of counts with 1,000 samples in each class."""
    return torch.tensor(
        [
            [0.40, 0.30, 0.20, 0.10],
            [0.28, 0.50, 0.15, 0.07],
            [0.05, 0.45, 0.30, 0.20],
            [0.02, 0.03, 0.35, 0.60],
        ],
        dtype=torch.float64,
    )


@pytest.fixture(scope="session")
def record_of():
    """Make a record with these counts of label by prediction, all right before the attack."""

    def make(counts, class_names=None, settings=None):
        counts = torch.as_tensor(counts)
        classes = len(counts)
        pairs = torch.arange(classes**2).repeat_interleave(counts.flatten())
        labels, predictions = pairs // classes, pairs % classes
        return Record.from_arrays(
            labels=labels,
            clean_logits=one_hot(labels, classes),
            adversarial_logits=one_hot(predictions, classes),
            class_names=class_names,
            settings=settings,
        )

    return make
