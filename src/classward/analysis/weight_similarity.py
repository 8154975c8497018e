"""Similarity of class weights, and whether the attack matrix follows it.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 6 and Fig. 5; Mantel, "The Detection of Disease Clustering and a
Generalized Regression Approach", Cancer Research 27, 1967 (test).
Reading: the paper compares the two matrices by eye; taken is the rank correlation of their
off-diagonal entries, the attack matrix made symmetric first.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from classward.analysis.significance import CHUNK, against_null, average_ranks
from classward.core.errors import InputError
from classward.records.result import Statistic

DECIMALS = 6  # entries alike to these are ties, as the cosines of simplex weights in float32
LABEL_SHUFFLE = "class labels of the weight similarity shuffled"


def weight_similarity(weights: Float[Tensor, "k d"]) -> Float64[Tensor, "k k"]:
    """Cosine of the angle between the weights of every two classes.

    Raises:
        InputError: If the weights of a class are all zero or not finite.

    >>> weight_similarity(torch.tensor([[1.0, 0.0], [3.0, 4.0]])).tolist()
    [[1.0, 0.6], [0.6, 1.0]]
    """
    rows = weights.detach().cpu().double()
    length = rows.norm(dim=1, keepdim=True)
    if wrong := (~((length > 0) & length.isfinite())).flatten().nonzero().flatten().tolist():
        raise InputError(f"weights of class {wrong[0]} are all zero or not finite")
    unit = rows / length
    return (unit @ unit.T).clamp(-1, 1).fill_diagonal_(1)  # Eq. 6


def mantel(
    similarity: Float[Tensor, "k k"],
    matrix: Float[Tensor, "k k"],
    *,
    draws: int = 5000,
    seed: int = 0,
) -> Statistic | None:
    """Spearman's rho of class similarity and attack matrix, against shuffled class labels.

    Args:
        similarity: Symmetric, such as that of the class weights.
        matrix: Attack matrix M; (M + M^T) / 2 is taken.
        draws: Number of shuffles.
        seed: Seed of the shuffles.

    Returns:
        `None` where either matrix has no two different entries off the diagonal, so always with
        fewer than three classes.
    """
    classes = len(matrix)
    i, j = torch.triu_indices(classes, classes, offset=1)
    attacked = _standard_ranks(((matrix + matrix.T) / 2)[i, j])
    similar = _standard_ranks(similarity[i, j])
    if attacked is None or similar is None:
        return None
    table = torch.zeros(classes, classes, dtype=torch.float64)
    table[i, j] = table[j, i] = similar
    rng, size = np.random.default_rng(seed), max(1, CHUNK // classes**2)
    null = []
    for start in range(0, draws, size):
        rows = np.tile(np.arange(classes), (min(size, draws - start), 1))
        order = torch.from_numpy(rng.permuted(rows, axis=1))
        null.append(table[order[:, i], order[:, j]] @ attacked)
    return against_null((similar @ attacked).item(), torch.cat(null), LABEL_SHUFFLE)


def _standard_ranks(values: Float[Tensor, " n"]) -> Float64[Tensor, " n"] | None:
    ranks = average_ranks(values.round(decimals=DECIMALS))
    if len(ranks) == 0 or ranks.min() == ranks.max():
        return None
    centred = ranks - ranks.mean()
    return centred / centred.norm()
