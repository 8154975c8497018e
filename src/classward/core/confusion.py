"""Which class is taken for which: counts and shares of predictions by label.

Not to be confused with: the attack matrix of the symmetry paper, which is this for the
predictions after an attack (`classward.analysis.attack_matrix`).
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.types import Labels


def confusion(labels: Labels, predictions: Labels, classes: int) -> Int64[Tensor, "k k"]:
    """Number of samples of class i (row) predicted as class j (column).

    >>> confusion(torch.tensor([0, 0, 2]), torch.tensor([1, 1, 2]), classes=3).tolist()
    [[0, 2, 0], [0, 0, 0], [0, 0, 1]]
    """
    return torch.bincount(labels * classes + predictions, minlength=classes**2).view(
        classes, classes
    )


def row_shares(counts: Int64[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    """Each row divided by its sum; a row without samples is NaN, that is, undefined.

    >>> row_shares(torch.tensor([[1, 3], [0, 0]])).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    return counts.double() / counts.sum(dim=1, keepdim=True)
