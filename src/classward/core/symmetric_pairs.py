"""Class pairs that fool each other alike, read off an attack matrix.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Def. 1 (Eq. 4) and Def. 2.
Reading: Def. 2 asks in words that each class be the other's top target, which Eq. 5 does not
say; the words are followed, without the diagonal (decision 001).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from classward.core.types import Pair

AttackMatrix = Float[Tensor, "k k"]  # share of class i classified as j, in [0, 1]


def symmetric_pairs(matrix: AttackMatrix, tolerance: float) -> Bool[Tensor, "k k"]:
    """Mark the pairs i < j with `|M_ij - M_ji| < tolerance` (Eq. 4).

    Args:
        matrix: Attack matrix M.
        tolerance: The error term of Eq. 4, in the unit of the matrix.

    Raises:
        ValueError: If an entry of `matrix` is not finite (a class without samples).
    """
    if not matrix.isfinite().all():
        empty = (~matrix.isfinite().all(dim=1)).nonzero().flatten().tolist()
        raise ValueError(f"attack matrix has no samples of classes {empty}")
    return torch.triu((matrix - matrix.T).abs() < tolerance, diagonal=1)


def maximum_symmetry_pairs(matrix: AttackMatrix, tolerance: float = 0.2) -> list[Pair]:
    """Symmetric pairs i < j of classes that are each other's top target (Def. 2).

    No class is in two pairs; of equal targets the first counts. The list may be empty.

    Raises:
        ValueError: If an entry of `matrix` is not finite (a class without samples).

    >>> matrix = torch.tensor([[0.0, 0.9, 0.1], [0.8, 0.1, 0.1], [0.5, 0.1, 0.4]])
    >>> maximum_symmetry_pairs(matrix)
    [(0, 1)]
    """
    symmetric = symmetric_pairs(matrix, tolerance)
    others = matrix.clone().fill_diagonal_(-1)
    share, top = others.max(dim=1)
    mutual = [(i, j) for i, j in enumerate(top.tolist()) if top[j] == i and symmetric[i, j]]
    return [(i, j) for i, j in mutual if share[i] > 0 and share[j] > 0]
