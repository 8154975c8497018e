"""Times rows: every contender once in each round, in turn; medians of ratios of CPU time."""

import gc
import math
import statistics
from collections.abc import Callable
from typing import Any

from row import Row

COVERED = 0.9  # least chance with which the bounds hold the true median


def measured(
    row: Row, rounds: int, say: Callable[[str], None], clock: Callable[[], float]
) -> dict[str, Any]:
    """Medians of the ratios over the rounds, with their bounds; and how strong each was.

    Args:
        row: What is measured.
        rounds: How often each contender runs.
        say: Told after each round.
        clock: Seconds; on a CPU of this process, which neighbours disturb least.
    """
    contenders: dict[str, Callable[[], Any]] = {"ours": row.ours, **row.peers}
    if row.bare is not None:
        contenders["bare"] = row.bare
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    strength: dict[str, dict[str, float]] = {}
    names = list(contenders)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            started = clock()
            outcome = contenders[name]()
            seconds[name].append(clock() - started)
            if outcome:
                strength[name] = outcome
        say(f"{row.name}: round {turn + 1} of {rounds}")
    ours = seconds.pop("ours")
    ratios = {
        name: _bounded(
            [o / t for o, t in zip(ours, theirs, strict=True)]
            if name == "bare"
            else [t / o for o, t in zip(ours, theirs, strict=True)]
        )
        for name, theirs in seconds.items()
    }
    return {
        "name": row.name,
        "rounds": rounds,
        "seconds": {
            k: round(statistics.median(v), 3) for k, v in {"ours": ours, **seconds}.items()
        },
        "ratios": ratios,
        "strength": strength,
        "bars": row.bars,
    }


def _bounded(ratios: list[float]) -> dict[str, float]:
    """The median, and the two order statistics that hold it with a chance of 90 % or more."""
    ordered, count = sorted(ratios), len(ratios)
    skipped = 0
    while 1 - 2 * _tail(count, skipped + 1) >= COVERED:
        skipped += 1
    return {
        "low": round(ordered[skipped], 4),
        "median": round(statistics.median(ordered), 4),
        "high": round(ordered[count - 1 - skipped], 4),
    }


def _tail(count: int, skipped: int) -> float:
    """Chance that at most `skipped` of so many fair coins show heads."""
    return sum(math.comb(count, heads) for heads in range(skipped + 1)) / 2**count
