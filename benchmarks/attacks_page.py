"""The page of the documentation on speed, from the kept result of `attacks.py`."""

from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
TEXT = """# Benchmarks

Written by `python benchmarks/attacks.py` (`make bench`) from its result,
`benchmarks/results/attacks.json`; do not edit by hand.

Every contender does the same work once in each round, in turn, in one process on one thread;
ratios of CPU time are taken within a round. A cell holds the median over the rounds and, in
brackets, bounds that hold it with a chance of 90 % or more (fewer than five rounds: the
extremes). A peer's number is how many times *its* time is that of classward: more is better.
"Passes" is the time of classward by that of as many bare passes of the network in float32,
forward and to the input, without any attack around them: less is better. A speed counts only at
equal strength, which stands beside it: robust accuracy under the attack, or success and mean l2
distance of the successes.

Runs of classward go through the evaluator, unless a row says "the attack alone": the verdicts
before and after, invariants and digests are in the time. "Fast" is `--precision fast`: attacks
led by bfloat16, verdicts in float32. A bar is what this project asked of itself beforehand; it
is met where the bounds allow it and the attack is no weaker than the peer's.

Batches of 128; {cpu}; torch {torch}.

{table}

Not measured here: a GPU, CPUs with AMX, more than one thread. The script runs there as it is.
"""
HEADER = "| what | images | rounds | s | peers | passes | strength, ours : peers | bar | met |"


def page(result: dict[str, Any]) -> str:
    """The page, as text."""
    rows = [HEADER, "|---" * 9 + "|", *(_line(row) for row in result["rows"].values())]
    facts = {"cpu": result["cpu"], "torch": result["versions"]["torch"]}
    return TEXT.format(table="\n".join(rows), **facts)


def _line(row: dict[str, Any]) -> str:
    ratios = {name: ratio for name, ratio in row["ratios"].items() if name != "bare"}
    peers = ", ".join(f"{name} {_ratio(ratio)}" for name, ratio in ratios.items()) or "-"
    passes = _ratio(row["ratios"]["bare"]) if "bare" in row["ratios"] else "-"
    strong = row["strength"]
    strength = " : ".join(
        _figures(strong[name]) for name in ("ours", *ratios) if name in strong
    )
    bars = ", ".join(
        f"passes ≤ {bar:g}" if name == "bare" else f"{name} ≥ {bar:g}"
        for name, bar in row["bars"].items()
    )
    met = ", ".join(_met(row, name, bar) for name, bar in row["bars"].items()) or "-"
    seconds = f"{row['seconds']['ours']:.2f}"
    cells = (
        row["name"],
        row["samples"],
        row["rounds"],
        seconds,
        peers,
        passes,
        strength,
        bars or "-",
        met,
    )
    return f"| {' | '.join(map(str, cells))} |"


def _ratio(ratio: dict[str, float]) -> str:
    return f"**{ratio['median']:.2f}** [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def _figures(strength: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in strength.items())


def _met(row: dict[str, Any], name: str, bar: float) -> str:
    """Whether the bounds allow the bar, at strength no less than the peer's."""
    ratio = row["ratios"].get(name)
    if ratio is None:
        return "-"
    if name == "bare":
        return "yes" if ratio["low"] <= bar else "**no**"
    if weaker := _weaker(row["strength"]["ours"], row["strength"][name]):
        return f"**no**: {weaker}"
    return "yes" if ratio["high"] >= bar else "**no**"


def _weaker(ours: dict[str, float], theirs: dict[str, float]) -> str | None:
    """Where an attack is weaker than its peer, beyond what a seed changes."""
    if ours.get("robust", 0.0) > theirs.get("robust", 1.0) + 0.03:
        return "weaker"
    if abs(ours.get("success", 0.0) - theirs.get("success", 0.0)) > 0.01:
        return "unequal success"
    if ours.get("mean l2", 0.0) > 1.01 * theirs.get("mean l2", float("inf")):
        return "longer"
    return None
