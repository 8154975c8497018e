"""From what each network got right to the table of a contest.

Source: the paired test is Student's, over samples, of the differences averaged over seeds; the
agreement of two orders is Kendall's tau-b (Kendall, "The Treatment of Ties in Ranking
Problems", Biometrika 33, 1945).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from classward.core.types import Labels
from classward.core.wilson import Z
from classward.records.defense_contest_result import (
    ContestRow,
    DefenseContest,
    Lead,
    OverSeeds,
)

WORST = "worst class"  # lowest accuracy of a class, under all attacks on all samples


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one network got right.

    Attributes:
        right: Column -> samples right; those of the suite are the first of all.
        labels: Classes of all samples.
    """

    right: Mapping[str, Bool[Tensor, " _"]]
    labels: Labels


def contest_table(
    defenses: Mapping[str, str],
    costs: Mapping[str, float],
    epochs: Mapping[str, int],
    judged: Mapping[str, Sequence[Judged]],
    **about: Any,
) -> DefenseContest:
    """Means over seeds, what each defense leads the first by, and two orders of them.

    Args:
        defenses: Name -> defense with its options; the first is compared with.
        costs: Forward passes an image costs in a step.
        epochs: Epochs each was trained for.
        judged: What the network of each seed got right.
        about: The other fields of the result.
    """
    first, *_ = judged
    columns = [name for name in judged[first][0].right if name != "last"]
    _, _, pgd, *_, suite = columns
    rows = []
    for name, seeds in judged.items():
        accuracy = {column: over_seeds([s.right[column] for s in seeds]) for column in columns}
        accuracy[WORST] = _worst(seeds, columns[1:-1])
        leads = {
            column: lead(_stacked(seeds, column), _stacked(judged[first], column))
            for column in columns
        }
        rows.append(
            ContestRow(
                name=name,
                defense=defenses[name],
                passes=costs[name],
                epochs=epochs[name],
                accuracy=accuracy,
                last=over_seeds([s.right["last"] for s in seeds]),
                lead={} if name == first else leads,
            )
        )
    return DefenseContest(
        defenses=rows,
        by_cross_entropy=_order(rows, pgd),
        by_suite=_order(rows, suite),
        agreement=_tau(rows, pgd, suite),
        **about,
    )


def over_seeds(right: Sequence[Bool[Tensor, " n"]]) -> OverSeeds:
    """Accuracy of each seed, their mean and its interval."""
    return _interval([flags.double().mean().item() for flags in right], len(right[0]))


def _interval(values: list[float], samples: int) -> OverSeeds:
    from scipy.stats import t

    count, mean = len(values), sum(values) / len(values)
    low = high = None
    if count > 1:
        deviation = torch.tensor(values, dtype=torch.float64).std().item()
        half = float(t.ppf(0.975, count - 1)) * deviation / sqrt(count)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    return OverSeeds(mean=mean, low=low, high=high, by_seed=values, samples=samples)


def lead(ours: Bool[Tensor, "s n"], theirs: Bool[Tensor, "s n"]) -> Lead:
    """Difference of two defenses on the same samples: a row for each seed."""
    from scipy.stats import ttest_1samp

    difference: Float64[Tensor, "s n"] = ours.double() - theirs.double()
    by_sample = difference.mean(dim=0)
    count, mean = len(by_sample), by_sample.mean().item()
    deviation = by_sample.std().item() if count > 1 else 0.0
    half = Z * deviation / sqrt(count)
    test: Any = ttest_1samp(by_sample.numpy(), 0.0) if deviation > 0 else None
    return Lead(
        difference=mean,
        low=mean - half,
        high=mean + half,
        p=None if test is None else float(test.pvalue),
        ahead=int((difference.mean(dim=1) > 0).sum()),
    )


def _stacked(seeds: Sequence[Judged], column: str) -> Bool[Tensor, "s n"]:
    return torch.stack([judged.right[column] for judged in seeds])


def _worst(seeds: Sequence[Judged], attacks: Sequence[str]) -> OverSeeds:
    found, samples = [], 0
    for judged in seeds:
        stands = torch.stack([judged.right[name] for name in attacks]).all(dim=0)
        classes = [stands[judged.labels == label] for label in judged.labels.unique()]
        lowest = min(classes, key=lambda flags: flags.double().mean().item())
        found.append(lowest.double().mean().item())
        samples = len(lowest)
    return _interval(found, samples)


def _order(rows: Sequence[ContestRow], column: str) -> list[str]:
    ranked = sorted(rows, key=lambda row: -row.accuracy[column].mean)
    return [row.name for row in ranked]


def _tau(rows: Sequence[ContestRow], one: str, other: str) -> float | None:
    from scipy.stats import kendalltau

    pairs = [(row.accuracy[one].mean, row.accuracy[other].mean) for row in rows]
    if len({first for first, _ in pairs}) < 2 or len({second for _, second in pairs}) < 2:
        return None
    found: Any = kendalltau(*zip(*pairs, strict=True))
    return float(found.statistic)
