"""Difference of two attack matrices, on colours that every eye tells apart."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.reporting.busiest import block, coarse, off_diagonal
from classward.reporting.figure import FAINT, INK, MUTED, drawing
from classward.reporting.wording import MINUS, label, points

if TYPE_CHECKING:
    import matplotlib.figure

COLOURS = "PuOr_r"  # purple: the flow shrank; orange: it grew


@drawing()
def difference_map(
    change: Float[np.ndarray, "k k"], names: list[str]
) -> "matplotlib.figure.Figure":
    """Change of every flow in points; the diagonal, which is no flow, is written on grey.

    Args:
        change: Attack matrix of a run minus that of the reference; undefined rows are NaN.
        names: Class names.
    """
    from matplotlib.figure import Figure

    k = len(names)
    figure = Figure(figsize=(2.6 + 0.46 * k, 1.9 + 0.46 * k), layout="constrained")
    axes = figure.add_subplot()
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
    _finish(figure, axes, image)
    return figure


@drawing()
def difference_pixels(change: Float[np.ndarray, "k k"]) -> "matplotlib.figure.Figure":
    """The same without names; beyond 250 classes each pixel is the largest of a block."""
    from matplotlib.figure import Figure

    flows = off_diagonal(change)
    grown, shrunk = coarse(flows.clip(min=0)), coarse((-flows).clip(min=0))
    signed = np.where(grown >= shrunk, grown, -shrunk)
    reach, edge = max(np.abs(signed).max(), 0.01), len(signed) * block(len(change))
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(
        signed, cmap=COLOURS, vmin=-reach, vmax=reach, interpolation="none",
        extent=(0, edge, edge, 0),
    )  # fmt: skip
    _finish(figure, axes, image)
    return figure


def _finish(figure: Any, axes: Any, image: Any) -> None:
    axes.set(xlabel="classified as", ylabel="class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        image, ax=axes, shrink=0.5, aspect=18, pad=0.02, format=lambda v, _: points(v)
    )
    bar.outline.set(edgecolor=FAINT)
    bar.ax.tick_params(length=2, labelsize=8.5, labelcolor=MUTED)
