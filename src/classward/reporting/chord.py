"""Attack matrix as a chord diagram: who takes how much of whom.

A ribbon is as wide at a class as the share that the class loses to the other, so the two ends
of a symmetric pair are equally wide.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.core.errors import InputError
from classward.core.types import Pair
from classward.reporting.busiest import off_diagonal
from classward.reporting.figure import INK, Values, array, drawing, numbered
from classward.reporting.wording import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette without black and its pale yellow: told apart by every eye.
PAIR_COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
OTHER, RING = "#b8c2cc", "#8795a3"
THINNEST = 1e-3  # a sector must have some length


@drawing()
def plot_chord(
    matrix: Values,
    names: list[str] | None = None,
    pairs: Sequence[Pair] = (),
    ax: "Axes | None" = None,
) -> "Axes":
    """Flows between different classes as ribbons; those of `pairs` in colour, others in grey.

    Args:
        matrix: Share of class i (row) classified as j (column); undefined rows are NaN or
            `None`.
        names: Class names; their numbers by default.
        pairs: Class pairs (i, j), i < j, to highlight.
        ax: Where to draw, a polar projection; new axes by default.

    Raises:
        InputError: If `ax` is not polar.
    """
    from pycirclize import Circos

    if ax is not None and ax.name != "polar":
        raise InputError(f'a chord diagram needs axes with projection="polar", not {ax.name}')
    matrix = array(matrix)
    names = numbered(names, len(matrix))
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
    axes: Any = _circle(max(map(len, labels))) if ax is None else ax
    circle.plotfig(ax=axes)
    return axes


def _circle(letters: int) -> Any:
    """New axes with room around them for names of so many letters."""
    from matplotlib.figure import Figure

    margin = 0.25 + 0.075 * letters
    side = 4.4 + 2 * margin
    edge = margin / side
    inside = (edge, edge, 1 - 2 * edge, 1 - 2 * edge)
    return Figure(figsize=(side, side)).add_axes(inside, projection="polar")


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
