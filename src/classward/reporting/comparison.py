"""A comparison of runs: its sentences, its tables as text, and what its page shows."""

from typing import Any

import numpy as np

from classward.records.comparison_result import (
    ClassDifference,
    ComparedRun,
    Comparison,
    Difference,
    RunDifference,
)
from classward.records.result import Pairs
from classward.reporting.busiest import READABLE, block, busiest, off_diagonal
from classward.reporting.cells import change_cells, matrix_view
from classward.reporting.difference import plot_difference, plot_difference_pixels
from classward.reporting.figure import svg
from classward.reporting.wording import (
    UNDEFINED,
    called,
    label,
    listed,
    p_value,
    percent,
    points,
    printable,
    words,
)

MOST_CLASSES = 5  # in the terminal


def comparison_sentences(comparison: Comparison) -> dict[str, str]:
    """Whether each run is better or worse than the reference, where, and what to mind."""
    named = len(comparison.differences) > 1
    told = {}
    for number, change in enumerate(comparison.differences, start=2):
        which = f" (run {number})" if named else ""
        told[f"Better or worse{which}"] = _better(comparison, change)
        told[f"Which classes{which}"] = _classes(change)
        told[f"Which flows{which}"] = _flows(comparison, change)
    if warning := _mind(comparison.runs):
        told["Mind"] = warning
    return told


def comparison_tables(comparison: Comparison) -> list[list[list[str]]]:
    """Two tables of text for each run, each with its head first."""
    columns = ["reference", "this run", "points", "95 % interval", "p"]
    tables = []
    for number, change in enumerate(comparison.differences, start=2):
        which = f"run {number}, " if len(comparison.differences) > 1 else ""
        shares = {"worst case": change.worst_case, **change.columns()}
        classes = moved(change)[:MOST_CLASSES]
        tables += [
            [
                [f"{which}right under", *columns],
                *([words(name), *_row(share)] for name, share in shares.items()),
            ],
            [
                [f"{which}classes that moved most", *columns],
                *([label(entry.name), *_row(entry.robust)] for entry in classes),
            ],
        ]
    return tables


def moved(change: RunDifference) -> list[ClassDifference]:
    """Classes with samples, the largest change of robust accuracy first."""
    defined = [entry for entry in change.per_class if entry.robust.difference is not None]
    return sorted(defined, key=lambda entry: -abs(entry.robust.difference or 0.0))


def comparison_view(comparison: Comparison) -> dict[str, Any]:
    """What the template may name."""
    changes = [
        {
            "number": number,
            "run": comparison.runs[number - 1],
            "change": change,
            "classes": moved(change),
            "drawings": _drawings(comparison, change, number),
            "pairs": {
                "gained": _pairs(comparison, change.pairs_gained),
                "lost": _pairs(comparison, change.pairs_lost),
            },
        }
        for number, change in enumerate(comparison.differences, start=2)
    ]
    maps = [entry["drawings"]["map"] for entry in changes]
    return {
        "title": "Runs compared sample by sample",
        "comparison": comparison,
        "references": {},
        "changes": changes,
        "script_data": {view["key"]: view["script"] for view in maps if view is not None},
    }


def _drawings(comparison: Comparison, change: RunDifference, number: int) -> dict[str, Any]:
    matrix = np.array(change.matrix, dtype=np.float64)
    if not off_diagonal(matrix).any():
        return {"map": None, "pixels": None, "shown": 0, "block": 1}
    names, chosen = comparison.classes, busiest(np.abs(matrix))
    part = plot_difference(matrix[np.ix_(chosen, chosen)], [names[i] for i in chosen])
    many = len(names) > READABLE
    cells = change_cells(change, names, chosen)
    return {
        "map": matrix_view(f"map{number}", part, names, chosen, cells),
        "pixels": svg(plot_difference_pixels(matrix), f"pixels{number}") if many else None,
        "shown": len(chosen),
        "block": block(len(names)),
    }


def _pairs(comparison: Comparison, pairs: Pairs) -> list[tuple[str, str]]:
    return [(comparison.classes[i], comparison.classes[j]) for i, j in pairs]


def _better(comparison: Comparison, change: RunDifference) -> str:
    worst, clean = change.worst_case, change.clean
    names = printable(change.name, 40), printable(comparison.runs[0].name, 40)
    return (
        f"Under attack {names[0]} is {_side(worst)} {names[1]}: {percent(worst.other)} of "
        f"{worst.total} samples stay right instead of {percent(worst.reference)} "
        f"({_figures(worst)}; {worst.lost} lost, {worst.gained} gained). Without attack "
        f"{percent(clean.other)} are right instead of {percent(clean.reference)}."
    )


def _side(share: Difference) -> str:
    if not share.significant:
        return "not shown to differ from"
    return "worse than" if share.worse else "better than"


def _figures(share: Difference) -> str:
    if share.difference is None or share.low is None or share.high is None or share.p is None:
        return UNDEFINED
    interval = f"{points(share.low)} to {points(share.high)}"
    return f"{points(share.difference)} points, {interval}, p {p_value(share.p)}"


def _classes(change: RunDifference) -> str:
    ranked = moved(change)
    worse = [entry for entry in ranked if entry.robust.worse]
    better = [entry for entry in ranked if entry.robust.significant and entry not in worse]
    if not worse and not better:
        return f"No class changed beyond chance, adjusted for {len(ranked)} classes (Holm)."
    sides = [("worse", worse), ("better", better)]
    told = "; ".join(f"{side}: {_moves(entries)}" for side, entries in sides if entries)
    return f"Beyond chance, adjusted by Holm, in points: {told}."


def _moves(entries: list[ClassDifference]) -> str:
    shown = [
        f"{called(entry.name)} ({points(entry.robust.difference or 0.0)})"
        for entry in entries[:MOST_CLASSES]
    ]
    more = len(entries) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _flows(comparison: Comparison, change: RunDifference) -> str:
    if not change.flows:
        return "No flow between two classes changed."
    top = change.flows[0]
    sure = "beyond chance" if top.share.significant else "which may be chance"
    gained, lost = len(change.pairs_gained), len(change.pairs_lost)
    return (
        f"The largest change is {called(top.source)} to {called(top.target)}, "
        f"{percent(top.share.other)} instead of {percent(top.share.reference)}, {sure}; "
        f"maximum symmetry pairs gained {gained}, lost {lost}, of "
        f"{len(comparison.runs[0].maximum_symmetry_pairs)}."
    )


def _mind(runs: list[ComparedRun]) -> str:
    """What makes the numbers answers to different questions, or no answers."""
    told = []
    for question in ("norm", "eps", "attacks"):
        asked = [getattr(run, question) for run in runs]
        if any(other != asked[0] for other in asked):
            told.append(f"The runs answer different questions: their {question} differ.")
            break
    if verdicts := {run.verdict for run in runs} - {"sound"}:
        told.append(f"Not every run is sound: {listed(sorted(verdicts))}.")
    return " ".join(told)


def _row(share: Difference) -> list[str]:
    if share.difference is None or share.low is None or share.high is None or share.p is None:
        return [UNDEFINED, UNDEFINED, "", "", ""]
    p = share.p if share.adjusted_p is None else share.adjusted_p
    return [
        percent(share.reference),
        percent(share.other),
        points(share.difference),
        f"{points(share.low)} to {points(share.high)}",
        p_value(p).removeprefix("= "),
    ]
