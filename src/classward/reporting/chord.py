"""Attack matrix as a chord diagram: who takes how much of whom.

A ribbon is as wide at a class as the share that the class loses to the other, so the two ends
of a symmetric pair are equally wide.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.core.types import Pair
from classward.reporting.busiest import off_diagonal
from classward.reporting.figure import INK, drawing
from classward.reporting.wording import label

if TYPE_CHECKING:
    import matplotlib.figure

# Okabe and Ito's palette without black and its pale yellow: told apart by every eye.
PAIR_COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
OTHER, RING = "#b8c2cc", "#8795a3"
THINNEST = 1e-3  # a sector must have some length


@drawing()
def chord(
    matrix: Float[np.ndarray, "k k"], names: list[str], pairs: list[Pair]
) -> "matplotlib.figure.Figure":
    """Flows between different classes; those of `pairs` in colour, the others in grey.

    Args:
        matrix: Share of class i (row) classified as j (column); undefined rows are NaN.
        names: Class names.
        pairs: Class pairs (i, j), i < j, to highlight.
    """
    from matplotlib.figure import Figure
    from pycirclize import Circos

    flows = off_diagonal(matrix)
    sizes = {str(i): max(size, THINNEST) for i, size in enumerate(flows.sum(axis=1))}
    circle = Circos(sizes, space=min(4, 90 / len(names)))
    colors = {pair: PAIR_COLORS[n % len(PAIR_COLORS)] for n, pair in enumerate(pairs)}
    ring = {str(i): color for pair, color in colors.items() for i in pair}
    labels = [label(name, width=14) for name in names]
    upright = max(map(len, labels)) <= 3  # a 6 on its head is a 9
    for sector, text in zip(circle.sectors, labels, strict=True):
        sector.add_track((95, 100)).axis(fc=ring.get(sector.name, RING), lw=0)
        sector.text(
            text, r=108 if upright else 104, size=9.5, color=INK, orientation="vertical",
            adjust_rotation=not upright,
        )  # fmt: skip
    _link(circle, flows, colors)
    margin = 0.25 + 0.075 * max(map(len, labels))
    side = 4.4 + 2 * margin
    figure = Figure(figsize=(side, side))
    edge = margin / side
    axes: Any = figure.add_axes((edge, edge, 1 - 2 * edge, 1 - 2 * edge), projection="polar")
    circle.plotfig(ax=axes)
    return figure


def _link(circle: Any, flows: Float[np.ndarray, "k k"], colors: dict[Pair, str]) -> None:
    places = _places(flows)
    every = [(i, j) for i in range(len(flows)) for j in range(i + 1, len(flows))]
    for i, j in sorted(every, key=lambda pair: pair in colors):  # coloured ones on top
        if flows[i, j] or flows[j, i]:
            color = colors.get((i, j), OTHER)
            circle.link(
                (str(i), *places[i, j]),
                (str(j), *places[j, i]),
                color=color,
                alpha=0.75 if (i, j) in colors else 0.4,
                lw=0,
                allow_twist=False,
            )


def _places(flows: Float[np.ndarray, "k k"]) -> dict[Pair, tuple[float, float]]:
    """Where on the sector of i the flow to j begins and ends: nearest neighbours outermost."""
    k, places = len(flows), {}
    for i in range(k):
        at = 0.0
        for j in (j % k for j in range(i - 1, i - k, -1)):
            places[i, j] = (at, at + flows[i, j])
            at += flows[i, j]
    return places
