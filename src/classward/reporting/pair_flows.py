"""Which class falls to which most, and what comes back: the pairs to worry about."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64

from classward.core.types import Pair
from classward.core.wilson import wilson_bounds
from classward.records.result import Share
from classward.reporting.cells import make_share

MOST_FLOWS = 200  # pairs in the table of a page


@dataclass(frozen=True, kw_only=True)
class PairFlow:
    """Two classes, and what falls from each to the other.

    Attributes:
        source: Number of the class whose flow is the surer large one.
        target: Number of the other.
        there: Share of `source` that is taken for `target`, with its interval.
        back: Share of `target` that is taken for `source`.
        mutual: Whether they are a maximum symmetry pair.
    """

    source: int
    target: int
    there: Share
    back: Share
    mutual: bool


def pair_flows(
    counts: Int64[np.ndarray, "k k"], pairs: list[Pair], most: int = MOST_FLOWS
) -> list[PairFlow]:
    """Pairs of classes by the lower end of the interval of their larger flow, downwards.

    By the lower end, so that one sample of one does not come before 40 of 50.

    Args:
        counts: Samples of class i (row) classified as j.
        pairs: The maximum symmetry pairs (i, j), i < j.
        most: Length of the list; pairs without any flow are left out.
    """
    totals = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape).copy()
    low, high = (
        bound.numpy()
        for bound in wilson_bounds(torch.from_numpy(counts), torch.from_numpy(totals))
    )

    def flow(i: int, j: int) -> Share:
        numbers = counts[i, j].item(), totals[i, j].item(), low[i, j].item(), high[i, j].item()
        return make_share(*numbers)

    known = set(pairs)
    return [
        PairFlow(
            source=i,
            target=j,
            there=flow(i, j),
            back=flow(j, i),
            mutual=(min(i, j), max(i, j)) in known,
        )
        for i, j in _heaviest(counts, np.nan_to_num(low), most)
    ]


def _heaviest(
    counts: Int64[np.ndarray, "k k"], low: Float64[np.ndarray, "k k"], most: int
) -> list[Pair]:
    surest = np.where(counts > 0, low, -1.0)
    rows, columns = np.triu_indices(len(counts), k=1)
    there, back = surest[rows, columns], surest[columns, rows]
    larger = np.maximum(there, back)
    order = np.argsort(-larger, kind="stable")[: min(most, int((larger >= 0).sum()))]
    turned = back > there
    return [
        (int(columns[n]), int(rows[n])) if turned[n] else (int(rows[n]), int(columns[n]))
        for n in order.tolist()
    ]
