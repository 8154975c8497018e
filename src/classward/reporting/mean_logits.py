"""Samples by the mean of their logits: what an attack leaves there, if anything."""

from typing import TYPE_CHECKING

from classward.records.explanation_result import MeanLogits
from classward.reporting.figure import HIGHLIGHT, MUTED, axes_for, drawing, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawing()
def plot_mean_logits(found: MeanLogits, ax: "Axes | None" = None) -> "Axes":
    """Two histograms over the same bins: filled before the attack, a line after it.

    Args:
        found: Of one attack, such as `explanation.attacks[0].mean_logits`.
        ax: Where to draw; new axes by default.
    """
    axes = axes_for(ax, 5.2, 1.9)
    axes.stairs(found.clean, found.edges, fill=True, color=MUTED, alpha=0.35, label="clean")
    axes.stairs(found.attacked, found.edges, color=HIGHLIGHT, linewidth=1.5, label="attacked")
    axes.set(xlabel="mean logit", ylabel="images", xlim=(found.edges[0], found.edges[-1]))
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(useOffset=False)
    legend(axes, ax, "right upper")
    return axes
