"""The largest flows as a graph: which classes hang together, and which pairs are mutual."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from classward.core.types import Pair
from classward.reporting.figure import HIGHLIGHT, INK, axes_for, drawing
from classward.reporting.pair_flows import PairFlow
from classward.reporting.wording import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALE = "#8cb0d2"  # the blue of the heatmap
MOST_EDGES = 12
ROUNDS = 300  # of the layout, which has long come to rest by then
GAP = 2.0
WIDEST = 5.0  # of an arrow, in points
SHORTEST = 0.15  # of the largest flow: a weaker way back is not drawn


def drawn(flows: list[PairFlow]) -> list[PairFlow]:
    """Of `flows`, the largest first, those of the graph: half of them mutual if there are."""
    mutual = [flow for flow in flows if flow.mutual][: MOST_EDGES // 2]
    others = [flow for flow in flows if flow not in mutual][: MOST_EDGES - len(mutual)]
    return mutual + others


@drawing()
def plot_pair_graph(
    flows: list[PairFlow], names: list[str], ax: "Axes | None" = None
) -> "Axes":
    """Classes as points, flows as arrows as wide as their share; mutual pairs in vermilion.

    Args:
        flows: Pairs of classes with their flows both ways, at least one.
        names: Names of all classes.
        ax: Where to draw; new axes by default.
    """
    axes = axes_for(ax, 7.2, 4.6)
    nodes = sorted({i for flow in flows for i in (flow.source, flow.target)})
    place = dict(zip(nodes, spread([(f.source, f.target) for f in flows]), strict=True))
    top = max(flow.there.value or 0.0 for flow in flows)
    for flow in reversed(flows):  # the mutual ones, which come first, end on top
        color = HIGHLIGHT if flow.mutual else PALE
        there, back = flow.there.value or 0.0, flow.back.value or 0.0
        start, end = place[flow.source], place[flow.target]
        _arrow(axes, start, end, there / top, color)
        if flow.mutual or back >= SHORTEST * top:
            _arrow(axes, end, start, back / top, color)
    for i in nodes:
        _point(axes, place[i], label(names[i], width=16))
    axes.set(xlim=(-1.18, 1.18), ylim=(-1.2, 1.12))
    axes.set_axis_off()
    return axes


def spread(edges: list[Pair]) -> Float64[np.ndarray, "m 2"]:
    """Places in [-1, 1] of the ends of `edges`, in the order of their numbers.

    Distances on paper come close to the numbers of edges between (least squares, by the
    majorization of de Leeuw, started from a circle); what no edge joins stands `GAP` apart.
    """
    wanted = _distances(edges)
    m = len(wanted)
    angles = 2 * np.pi * np.arange(m) / m
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    weights = 1 / np.maximum(wanted, 1) ** 2
    np.fill_diagonal(weights, 0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    for _ in range(ROUNDS):
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        pull = weights * wanted / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0)
        places = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ places)
    low, high = places.min(axis=0), places.max(axis=0)
    middle, reach = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
    return np.round((places - middle) / np.where(reach < 1e-3, 1, reach), 4)


def _distances(edges: list[Pair]) -> Float64[np.ndarray, "m m"]:
    """Edges on the way between each two ends; `GAP` where there is no way."""
    nodes = sorted({i for edge in edges for i in edge})
    number = {node: n for n, node in enumerate(nodes)}
    ways = np.full((len(nodes), len(nodes)), np.inf)
    np.fill_diagonal(ways, 0)
    for i, j in edges:
        ways[number[i], number[j]] = ways[number[j], number[i]] = 1
    for via in range(len(nodes)):
        ways = np.minimum(ways, ways[:, via, None] + ways[None, via])
    return np.where(np.isinf(ways), GAP, ways)


def _arrow(axes: Any, start: Any, end: Any, part: float, color: str) -> None:
    axes.annotate(
        "", end, start, zorder=1,
        arrowprops={
            "arrowstyle": f"-|>,head_width={0.18 + 0.2 * part:.3f},head_length=0.45",
            "connectionstyle": "arc3,rad=0.14", "shrinkA": 6, "shrinkB": 6,
            "linewidth": 0.6 + WIDEST * part, "color": color, "mutation_scale": 12,
        },
    )  # fmt: skip


def _point(axes: Any, place: Float64[np.ndarray, " 2"], name: str) -> None:
    axes.plot(*place, "o", color=INK, markersize=8, zorder=3)
    axes.annotate(
        name, place, (0, -7), textcoords="offset points", ha="center", va="top", zorder=4,
        color=INK, in_layout=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
    )  # fmt: skip
