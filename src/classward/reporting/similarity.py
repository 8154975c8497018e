"""Similarity of the class weights, alone and beside the attack matrix."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.reporting.busiest import READABLE, coarse, off_diagonal
from classward.reporting.figure import (
    FAINT,
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
    from matplotlib.figure import Figure


@drawing()
def plot_similarity(
    weights: Values, names: list[str] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Cosines between the weights of each two classes; the diagonal, always 1, is left out.

    Beyond 250 classes each pixel is the largest value of a block.

    Args:
        weights: Cosine between the weights of each two classes, in [-1, 1].
        names: Class names, written up to 20 classes; their numbers by default.
        ax: Where to draw; new axes by default.
    """
    weights = array(weights)
    axes = axes_for(ax, 4.6, 4.6)
    own = np.eye(len(weights), dtype=bool)
    similar = coarse(np.where(own, -1, weights))
    if len(similar) == len(weights):
        similar = np.ma.array(similar, mask=own)
    reach = max(np.abs(similar).max(), 0.01)
    _panel(axes, similar, "similarity of the class weights", ("PuOr_r", -reach, reach), None)
    _name(axes, numbered(names, len(weights)))
    return axes


@drawing()
def beside_flows(
    weights: Float[np.ndarray, "k k"], matrix: Float[np.ndarray, "k k"], names: list[str]
) -> "Figure":
    """Cosines between class weights on the left, flows between classes on the right.

    Beyond 250 classes each pixel is the largest value of a block.

    Args:
        weights: Cosine between the weights of each two classes, in [-1, 1].
        matrix: Share of class i (row) classified as j (column); undefined rows are NaN.
        names: Class names, written up to 20 classes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_similarity(weights, names, left)
    flows = coarse(off_diagonal(matrix))
    if len(flows) == len(names):
        flows = np.ma.array(flows, mask=np.eye(len(names), dtype=bool) | np.isnan(matrix))
    _panel(right, flows, "attack matrix", ("Blues", 0, max(flows.max(), 0.01)), in_percent)
    right.set(xticks=[], yticks=[])
    return figure


def _panel(axes: Any, values: Any, title: str, scale: tuple, unit: Any) -> None:
    cmap, low, high = scale
    image = axes.imshow(values, cmap=cmap, vmin=low, vmax=high, interpolation="none")
    axes.set_facecolor("#eef1f4")
    axes.set_title(title)
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(
        image, ax=axes, orientation="horizontal", shrink=0.6, aspect=24, format=unit
    )
    bar.outline.set(edgecolor=FAINT)
    bar.ax.tick_params(length=2, labelsize=8)


def _name(axes: Any, names: list[str]) -> None:
    axes.set(xticks=[], yticks=[])
    if len(names) <= READABLE:
        axes.set_yticks(range(len(names)), [label(name, width=14) for name in names])
