"""Attack matrix as a heatmap: shares in the cells, or one pixel for each class if too many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.core.types import Pair
from classward.reporting.busiest import block, coarse, off_diagonal
from classward.reporting.figure import (
    FAINT,
    HIGHLIGHT,
    INK,
    MUTED,
    Values,
    array,
    axes_for,
    drawing,
    in_percent,
    numbered,
)
from classward.reporting.wording import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawing()
def plot_attack_matrix(
    matrix: Values,
    names: list[str] | None = None,
    pairs: Sequence[Pair] = (),
    ax: "Axes | None" = None,
) -> "Axes":
    """The attack matrix with its shares in percent; `pairs` framed, undefined rows hatched.

    Args:
        matrix: Share of class i (row) classified as j (column); undefined rows are NaN or
            `None`.
        names: Class names; their numbers by default.
        pairs: Class pairs (i, j) to frame, both ways round.
        ax: Where to draw; new axes by default.
    """
    matrix = array(matrix)
    names, k = numbered(names, len(matrix)), len(matrix)
    axes = axes_for(ax, 2.6 + 0.42 * k, 1.9 + 0.42 * k)
    flows = off_diagonal(matrix)
    top = max(flows.max(), 0.01)
    kept = np.where(np.eye(k, dtype=bool), matrix, np.nan)
    image = axes.pcolormesh(flows, cmap="Blues", vmax=top, edgecolors="white", linewidth=1)
    axes.pcolormesh(
        np.ma.masked_invalid(kept), cmap="Greys", vmin=-0.3, vmax=1.6, edgecolors="white"
    )
    _write_shares(axes, matrix, top)
    _hatch_undefined(axes, matrix)
    _frame(axes, pairs)
    labels = [label(name, width=14) for name in names]
    slanted = max(map(len, labels)) > 4
    axes.set_xticks(
        np.arange(k) + 0.5,
        labels,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else None,
    )
    axes.set_yticks(np.arange(k) + 0.5, labels)
    _finish(axes, image)
    return axes


@drawing()
def plot_attack_matrix_pixels(matrix: Values, ax: "Axes | None" = None) -> "Axes":
    """The attack matrix of many classes: no names, a pixel for each two classes.

    Beyond 250 classes each pixel is the largest of a block.

    Args:
        matrix: Share of class i (row) classified as j (column).
        ax: Where to draw; new axes by default.
    """
    matrix = array(matrix)
    flows = coarse(off_diagonal(matrix))
    axes = axes_for(ax, 6.4, 5.6)
    edge = len(flows) * block(len(matrix))
    image = axes.imshow(
        flows, cmap="Blues", vmin=0, vmax=max(flows.max(), 0.01), interpolation="none",
        extent=(0, edge, edge, 0),
    )  # fmt: skip
    _finish(axes, image)
    axes.tick_params(length=3)
    return axes


def _write_shares(axes: Any, matrix: Float[np.ndarray, "k k"], top: float) -> None:
    for (i, j), value in np.ndenumerate(matrix):
        if value > 0:
            dark = i != j and value > 0.6 * top
            text = f"{100 * value:.0f}" if value >= 0.005 else "<1"
            color = "white" if dark else INK if i == j or value > 0.1 * top else MUTED
            axes.text(
                j + 0.5, i + 0.5, text, color=color, size=9, ha="center", va="center_baseline",
                in_layout=False,
            )  # fmt: skip


def _hatch_undefined(axes: Any, matrix: Float[np.ndarray, "k k"]) -> None:
    from matplotlib.patches import Rectangle

    k = len(matrix)
    for i in np.flatnonzero(np.isnan(matrix).any(axis=1)).tolist():
        axes.add_patch(Rectangle((0, i), k, 1, facecolor="#f3f5f7", hatch="////", linewidth=0))
        axes.text(
            k / 2, i + 0.5, "no samples", color=MUTED, ha="center", va="center_baseline",
            in_layout=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def _frame(axes: Any, pairs: Sequence[Pair]) -> None:
    from matplotlib.patches import Rectangle

    for i, j in pairs:
        for row, column in ((i, j), (j, i)):
            axes.add_patch(
                Rectangle(
                    (column + 0.04, row + 0.04), 0.92, 0.92, fill=False, edgecolor=HIGHLIGHT,
                    linewidth=1.6,
                )
            )  # fmt: skip


def _finish(axes: Any, image: Any) -> None:
    axes.set_aspect("equal")
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set(xlabel="classified as", ylabel="class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(
        image, ax=axes, shrink=0.5, aspect=18, pad=0.02, format=in_percent
    )
    bar.outline.set(edgecolor=FAINT)
    bar.ax.tick_params(length=2, labelsize=8.5)
