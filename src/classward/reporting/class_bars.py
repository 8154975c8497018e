"""Accuracy of each class, clean and under attack, the least robust first."""

from typing import TYPE_CHECKING, Any

from classward.records.audit_result import ClassAccuracy
from classward.reporting.figure import (
    ACCENT,
    FAINT,
    INK,
    MUTED,
    axes_for,
    drawing,
    in_percent,
    legend,
)
from classward.reporting.wording import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 30


def least_robust(classes: list[ClassAccuracy], most: int | None = None) -> list[ClassAccuracy]:
    """Classes by robust accuracy, the lowest first; those without samples are left out."""
    defined = [entry for entry in classes if entry.robust is not None]
    return sorted(defined, key=lambda entry: entry.robust or 0.0)[:most]


@drawing()
def plot_class_bars(classes: list[ClassAccuracy], ax: "Axes | None" = None) -> "Axes":
    """Clean accuracy as a wide pale bar, robust accuracy as a narrow dark one before it.

    Args:
        classes: In the order in which they are drawn, from the top, such as
            `audit.per_class`; those without samples are left out.
        ax: Where to draw; new axes by default.
    """
    classes = [entry for entry in classes if entry.robust is not None]
    axes = axes_for(ax, 7.2, 1.1 + 0.3 * len(classes))
    rows = range(len(classes))
    clean = [entry.clean or 0.0 for entry in classes]
    robust = [entry.robust or 0.0 for entry in classes]
    axes.barh(rows, clean, height=0.74, color=FAINT, label="clean")
    axes.barh(rows, robust, height=0.4, color=ACCENT, label="robust")
    _whiskers(axes, [entry.clean_interval for entry in classes], MUTED, 0.8)
    _whiskers(axes, [entry.robust_interval for entry in classes], INK, 1.3)
    axes.set_yticks(rows, [label(entry.name, width=18) for entry in classes])
    axes.set(xlim=(0, 1.0), ylim=(len(classes) - 0.4, -0.6))
    axes.xaxis.set_major_formatter(in_percent)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#eef1f4", linewidth=0.8)
    axes.set_axisbelow(True)
    legend(axes, ax, columns=2)
    return axes


def _whiskers(
    axes: Any, intervals: list[tuple[float, float] | None], color: str, width: float
) -> None:
    for row, interval in enumerate(intervals):
        if interval is not None:
            axes.plot(interval, (row, row), color=color, linewidth=width, solid_capstyle="butt")
