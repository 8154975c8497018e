"""Pairs of classes to train with, chosen from an attack matrix."""

import torch

from classward.core.randomness import SampleRandom
from classward.core.symmetric_pairs import AttackMatrix, maximum_symmetry_pairs, symmetric_pairs
from classward.core.types import Pair


def chosen_pairs(matrix: AttackMatrix, how: str, seed: int) -> list[Pair]:
    """Pairs of a matrix by the name of the choice.

    Args:
        matrix: Attack matrix of a trained network.
        how: "maximum", its maximum symmetry pairs; "symmetric", all that send each other images
            and differ by less than 0.05; else as many as the first, drawn.
        seed: Of the draw.
    """
    if how == "symmetric":
        sent = torch.minimum(matrix, matrix.T) > 0
        return [(i, j) for i, j in (symmetric_pairs(matrix, 0.05) & sent).nonzero().tolist()]
    found = maximum_symmetry_pairs(matrix)
    if how == "maximum":
        return found
    rng = SampleRandom(seed, "random pairs", torch.tensor([0]))
    order = rng.permutation(len(matrix))[0].tolist()
    drawn = [sorted(order[2 * n : 2 * n + 2]) for n in range(len(found))]
    return [(i, j) for i, j in drawn]
