"""Samples by the mean of their logits: what an attack leaves there, if anything."""

from typing import TYPE_CHECKING

from classward.records.explanation_result import MeanLogits
from classward.reporting.figure import HIGHLIGHT, MUTED, drawing

if TYPE_CHECKING:
    import matplotlib.figure


@drawing()
def mean_logits_plot(found: MeanLogits) -> "matplotlib.figure.Figure":
    """Two histograms over the same bins: filled before the attack, a line after it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 1.9), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(found.clean, found.edges, fill=True, color=MUTED, alpha=0.35, label="clean")
    axes.stairs(found.attacked, found.edges, color=HIGHLIGHT, linewidth=1.5, label="attacked")
    axes.set(xlabel="mean logit", ylabel="images", xlim=(found.edges[0], found.edges[-1]))
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(useOffset=False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
