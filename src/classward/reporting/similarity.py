"""Similarity of the class weights beside the attack matrix."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from classward.reporting.busiest import READABLE, coarse, off_diagonal
from classward.reporting.figure import FAINT, drawing, in_percent
from classward.reporting.wording import label

if TYPE_CHECKING:
    import matplotlib.figure


@drawing()
def similarity(
    weights: Float[np.ndarray, "k k"], matrix: Float[np.ndarray, "k k"], names: list[str]
) -> "matplotlib.figure.Figure":
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
    own = np.eye(len(names), dtype=bool)
    flows, similar = coarse(off_diagonal(matrix)), coarse(np.where(own, -1, weights))
    if len(flows) == len(names):
        flows = np.ma.array(flows, mask=own | np.isnan(matrix))
        similar = np.ma.array(similar, mask=own)
    reach = max(np.abs(similar).max(), 0.01)
    _panel(
        figure,
        left,
        similar,
        "similarity of the class weights",
        ("PuOr_r", -reach, reach),
        None,
    )
    _panel(
        figure, right, flows, "attack matrix", ("Blues", 0, max(flows.max(), 0.01)), in_percent
    )
    _name(left, names)
    right.set(xticks=[], yticks=[])
    return figure


def _panel(figure: Any, axes: Any, values: Any, title: str, scale: tuple, unit: Any) -> None:
    cmap, low, high = scale
    image = axes.imshow(values, cmap=cmap, vmin=low, vmax=high, interpolation="none")
    axes.set_facecolor("#eef1f4")
    axes.set_title(title)
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        image, ax=axes, orientation="horizontal", shrink=0.6, aspect=24, format=unit
    )
    bar.outline.set(edgecolor=FAINT)
    bar.ax.tick_params(length=2, labelsize=8)


def _name(axes: Any, names: list[str]) -> None:
    axes.set(xticks=[], yticks=[])
    if len(names) <= READABLE:
        axes.set_yticks(range(len(names)), [label(name, width=14) for name in names])
