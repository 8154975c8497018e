"""Difference of two attack matrices, on colours that every eye tells apart."""

from typing import TYPE_CHECKING, Any

import numpy as np

from classward.reporting.busiest import block, coarse, off_diagonal
from classward.reporting.figure import (
    FAINT,
    INK,
    MUTED,
    Values,
    array,
    axes_for,
    drawing,
    numbered,
)
from classward.reporting.wording import MINUS, label, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "PuOr_r"  # purple: the flow shrank; orange: it grew


@drawing()
def plot_difference(
    change: Values, names: list[str] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Change of every flow in points; the diagonal, which is no flow, is written on grey.

    Args:
        change: Attack matrix of a run minus that of the reference; undefined rows are NaN or
            `None`.
        names: Class names; their numbers by default.
        ax: Where to draw; new axes by default.
    """
    change = array(change)
    names, k = numbered(names, len(change)), len(change)
    axes = axes_for(ax, 2.6 + 0.46 * k, 1.9 + 0.46 * k)
    reach = max(np.abs(off_diagonal(change)).max(), 0.01)
    flows = np.ma.masked_invalid(np.where(np.eye(k, dtype=bool), np.nan, change))
    axes.set_facecolor("#eef1f4")
    image = axes.imshow(flows, cmap=COLOURS, vmin=-reach, vmax=reach, interpolation="none")
    for (i, j), value in np.ndenumerate(change):
        if abs(value) >= 0.005:
            deep = i != j and abs(value) > 0.6 * reach
            text = f"{100 * value:+.0f}".replace("-", MINUS)
            axes.text(
                j, i, text, color="white" if deep else INK, size=8.5, ha="center",
                va="center_baseline", in_layout=False,
            )  # fmt: skip
    labels = [label(name, width=14) for name in names]
    slanted = max(map(len, labels)) > 4
    axes.set_xticks(
        range(k),
        labels,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else None,
    )
    axes.set_yticks(range(k), labels)
    _finish(axes, image)
    return axes


@drawing()
def plot_difference_pixels(change: Values, ax: "Axes | None" = None) -> "Axes":
    """Change of every flow between many classes: no names, a pixel for each two classes.

    Beyond 250 classes each pixel is the largest of a block.

    Args:
        change: Attack matrix of a run minus that of the reference.
        ax: Where to draw; new axes by default.
    """
    change = array(change)
    flows = off_diagonal(change)
    grown, shrunk = coarse(flows.clip(min=0)), coarse((-flows).clip(min=0))
    signed = np.where(grown >= shrunk, grown, -shrunk)
    reach, edge = max(np.abs(signed).max(), 0.01), len(signed) * block(len(change))
    axes = axes_for(ax, 6.4, 5.6)
    image = axes.imshow(
        signed, cmap=COLOURS, vmin=-reach, vmax=reach, interpolation="none",
        extent=(0, edge, edge, 0),
    )  # fmt: skip
    _finish(axes, image)
    return axes


def _finish(axes: Any, image: Any) -> None:
    axes.set(xlabel="classified as", ylabel="class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(
        image, ax=axes, shrink=0.5, aspect=18, pad=0.02, format=lambda v, _: points(v)
    )
    bar.outline.set(edgecolor=FAINT)
    bar.ax.tick_params(length=2, labelsize=8.5, labelcolor=MUTED)
