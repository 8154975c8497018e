"""How sure a share or a symmetry is: intervals, and what chance alone would give.

Sources: Bowker, "A Test for Symmetry in Contingency Tables", JASA 43, 1948; Phipson and Smyth,
"Permutation P-values Should Never Be Zero", arXiv:1603.05766 (p-value). The intervals are those
of `classward.core.wilson`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from classward.core.wilson import wilson
from classward.records.result import Share, Statistic

ROUNDING = 1e-12  # two orders of one sum differ by less; statistics are of order 1
CHUNK = 2**22  # entries of a null held in memory at once: 32 MiB
ROW_SHUFFLE = "entries of each row shuffled off the diagonal"


def share(count: int, total: int) -> Share:
    """A share of samples with its 95 % interval; without samples, undefined."""
    if total == 0:
        return Share(count=0, total=0, value=None, low=None, high=None)
    low, high = wilson(count, total)
    return Share(count=count, total=total, value=count / total, low=low, high=high)


def bowker(counts: Int64[Tensor, "k k"]) -> Statistic | None:
    """Bowker's test that i is taken for j as often as j for i: chi-squared, closed form.

    A small p speaks against symmetry. Pairs never taken for each other do not count; `None`
    if no pair does. Counts are compared, so the classes should be of one size.
    """
    from scipy.special import chdtrc

    both = (counts + counts.T).triu(1).double()
    seen = both > 0
    freedom = int(seen.sum())
    if freedom == 0:
        return None
    value = ((counts - counts.T)[seen].double() ** 2 / both[seen]).sum().item()
    name = f"equal counts both ways: chi-squared, {freedom} degrees of freedom"
    p = float(chdtrc(freedom, value))
    return Statistic(value=value, null=float(freedom), p=p, null_draws=0, null_name=name)


def average_ranks(values: Float[Tensor, " n"]) -> Float64[Tensor, " n"]:
    """Ranks from 1, equal values sharing the mean of theirs.

    >>> average_ranks(torch.tensor([0.3, 0.1, 0.3, 0.9])).tolist()
    [2.5, 1.0, 2.5, 4.0]
    """
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2).double()[place]


def row_shuffles(
    matrix: Float[Tensor, "k k"], draws: int, seed: int
) -> Iterator[Float64[Tensor, "b k k"]]:
    """`draws` copies of a matrix, each row shuffled off the diagonal, a chunk at a time."""
    classes, rng = len(matrix), np.random.default_rng(seed)
    off = ~torch.eye(classes, dtype=torch.bool)
    rows = matrix.double()[off].view(classes, classes - 1).numpy()
    size = max(1, CHUNK // classes**2)
    for start in range(0, draws, size):
        copies = min(size, draws - start)
        shuffled = rng.permuted(np.broadcast_to(rows, (copies, *rows.shape)), axis=2)
        matrices = matrix.double().repeat(copies, 1, 1)
        matrices[:, off] = torch.from_numpy(shuffled).flatten(1)
        yield matrices


def row_shuffle_test(
    matrix: Float[Tensor, "k k"],
    measure: Callable[[Tensor], Tensor],
    draws: int,
    seed: int,
) -> list[Statistic]:
    """Statistics of a matrix against its row shuffles.

    Args:
        matrix: Attack matrix, or any function of its entries.
        measure: Batch of matrices to batch of statistics, b x k x k to b x s.
        draws: Number of shuffles.
        seed: Seed of the shuffles.
    """
    observed = measure(matrix.double()[None])[0].tolist()
    null = torch.cat([measure(chunk) for chunk in row_shuffles(matrix, draws, seed)])
    return [
        against_null(value, drawn, ROW_SHUFFLE)
        for value, drawn in zip(observed, null.unbind(dim=1), strict=True)
    ]


def against_null(value: float, null: Float64[Tensor, " draws"], null_name: str) -> Statistic:
    """A statistic, the mean of its null and its upper one-sided p-value."""
    extreme = int((null >= value - ROUNDING).sum())
    return Statistic(
        value=value,
        null=null.mean().item(),
        p=(1 + extreme) / (1 + len(null)),
        null_draws=len(null),
        null_name=null_name,
    )
