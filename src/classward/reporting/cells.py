"""What a page says of the single cells of a matrix, in words: for its table and its script."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int64

from classward.core.wilson import wilson_bounds
from classward.records.comparison_result import Difference, RunDifference
from classward.records.result import Matrix, Share
from classward.reporting.figure import svg
from classward.reporting.wording import label, p_value, percent, points, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

View = dict[str, Any]
Cell = tuple[str, str]  # what stands in the table, and all there is to say


def cell_shares(counts: Int64[np.ndarray, "k k"], chosen: list[int]) -> list[list[Share]]:
    """Each entry of an attack matrix with its 95 % Wilson interval, of some classes.

    Args:
        counts: Samples of class i (row) classified as j.
        chosen: The classes, as rows and as columns.
    """
    part = counts[np.ix_(chosen, chosen)]
    totals = counts.sum(axis=1)[chosen, None].repeat(len(chosen), axis=1)
    low, high = wilson_bounds(torch.from_numpy(part), torch.from_numpy(totals))
    columns = (part.tolist(), totals.tolist(), low.tolist(), high.tolist())
    return [
        [make_share(*entry) for entry in zip(*rows, strict=True)]
        for rows in zip(*columns, strict=True)
    ]


def make_share(count: int, total: int, low: float, high: float) -> Share:
    """A share with its interval; without samples, undefined."""
    if total == 0:
        return Share(count=0, total=0, value=None, low=None, high=None)
    return Share(count=count, total=total, value=count / total, low=low, high=high)


def counted(matrix: Matrix, samples: list[int]) -> Int64[np.ndarray, "k k"]:
    """The counts behind shares of so many samples; 0 where undefined."""
    shares = np.nan_to_num(np.array(matrix, dtype=np.float64))
    return np.rint(shares * np.array(samples)[:, None]).astype(np.int64)


def share_cells(shares: list[list[Share]]) -> list[list[Cell]]:
    """Of an attack matrix."""
    return [
        [
            (percent(entry.value), f"{entry.count} of {entry.total} samples: {share(entry)}")
            if entry.total
            else ("undefined", "undefined: no samples")
            for entry in row
        ]
        for row in shares
    ]


def change_cells(
    change: RunDifference, names: list[str], chosen: list[int]
) -> list[list[Cell]]:
    """Of the difference of two attack matrices; the p-value where the result has one."""
    known = {(flow.source, flow.target): flow.share for flow in change.flows}
    return [
        [_change(change.matrix[i][j], known.get((names[i], names[j]))) for j in chosen]
        for i in chosen
    ]


def _change(value: float | None, flow: Difference | None) -> Cell:
    if value is None:
        return "undefined", "undefined: no samples"
    told = f"{points(value)} points"
    if flow is None or flow.p is None or flow.low is None or flow.high is None:
        return points(value), told
    p, adjusted = (flow.p, "") if flow.adjusted_p is None else (flow.adjusted_p, ", adjusted")
    return points(value), (
        f"{percent(flow.reference)} in the reference, {percent(flow.other)} in this run: "
        f"{told} ({points(flow.low)} to {points(flow.high)}), p {p_value(p)}{adjusted}"
    )


def matrix_view(
    key: str,
    axes: "Axes",
    names: list[str],
    chosen: list[int],
    cells: list[list[Cell]],
) -> View:
    """A drawn matrix with what its table and the script of the page need.

    Args:
        key: Its name on the page.
        axes: Those it is drawn on.
        names: Names of all classes.
        chosen: The classes that are shown.
        cells: What there is to say of each two of them.
    """
    shown = [label(names[i], width=32) for i in chosen]
    drawing = svg(axes, key)  # the layout is known from here on
    place = axes.get_position()
    figure: Any = axes.figure
    box = [place.x0, 1 - place.y1, place.width, place.height]
    return {
        "key": key,
        "svg": drawing,
        "width": f"{72 * figure.get_figwidth():.0f}pt",
        "names": shown,
        "rows": [[short for short, _ in row] for row in cells],
        "script": {
            "box": [round(100 * edge, 3) for edge in box],  # in percent of the drawing
            "names": shown,
            "classes": chosen,
            "cells": [[told for _, told in row] for row in cells],
        },
    }
