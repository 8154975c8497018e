"""Robust accuracy against the radius, over all samples and of each class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from classward.records.curve_result import Curve
from classward.reporting.figure import (
    ACCENT,
    HIGHLIGHT,
    INK,
    MUTED,
    axes_for,
    drawing,
    in_percent,
    legend,
    svg,
)
from classward.reporting.wording import label, percent, radius

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THIN = "#b4bec9"
EXTREMES = (("worst", HIGHLIGHT, "v"), ("best", ACCENT, "^"))  # by colour and by shape


def curve_view(curve: Curve, eps: float) -> dict[str, Any]:
    """What the page shows of a curve: the drawing, a sentence, a table with the worst first."""
    return {
        "figure": svg(plot_budget_curve(curve, eps), "curve"),
        "told": curve_sentence(curve),
        "radii": [_short(curve, entry) for entry in curve.radii],
        "all": (curve.auc, list(zip(curve.accuracy, curve.intervals, strict=True))),
        "rows": [
            (curve.classes[i], curve.class_auc[i], curve.per_class[i]) for i in by_area(curve)
        ],
        "undefined": [
            name
            for name, auc in zip(curve.classes, curve.class_auc, strict=True)
            if auc is None
        ],
        "attack": curve.attack,
    }


def by_area(curve: Curve) -> list[int]:
    """Classes by the area under their curve, the smallest first; undefined ones are left out.

    Equal ones keep the order of the classes.
    """
    defined = [i for i, auc in enumerate(curve.class_auc) if auc is not None]
    return sorted(defined, key=lambda i: curve.class_auc[i] or 0.0)


def curve_sentence(curve: Curve) -> str:
    """Between which radii half of the clean accuracy goes, and the area under the curve."""
    clean, last = curve.accuracy[0], radius(curve.norm, curve.radii[-1])
    if clean == 0:
        return "No sample is right without attack, so there is nothing to lose."
    area = f"The area under the curve is {percent(curve.auc)} of the most there can be."
    half = next((n for n, share in enumerate(curve.accuracy) if share <= clean / 2), None)
    if half is None:
        kept = percent(curve.accuracy[-1])
        return f"More than half of the accuracy is left at {last}: {kept}. {area}"
    before, after = _short(curve, curve.radii[half - 1]), radius(curve.norm, curve.radii[half])
    return (
        f"Half of the accuracy is gone at {after}: {percent(curve.accuracy[half])} of the "
        f"samples stay right there, {percent(curve.accuracy[half - 1])} at {before}, and "
        f"{percent(clean)} without attack. {area}"
    )


@drawing()
def plot_budget_curve(curve: Curve, eps: float, ax: "Axes | None" = None) -> "Axes":
    """All samples bold with their interval; the worst and the best class, the others thin.

    Args:
        curve: The curve, such as `audit.curve`.
        eps: The radius of the headline in pixel units, marked.
        ax: Where to draw; new axes by default.
    """
    axes = axes_for(ax, 7.2, 4.2)
    ranked = by_area(curve)
    named = [ranked[0], ranked[-1]] if _apart(curve, ranked) else []
    others = [curve.per_class[i] for i in ranked if i not in named]
    axes.axvline(eps, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    if others:
        axes.plot(
            *_one_path(curve.radii, others), color=THIN, linewidth=0.7, label="each class"
        )
    low, high = zip(*curve.intervals, strict=True)
    axes.fill_between(curve.radii, low, high, color=INK, alpha=0.14, linewidth=0)
    for i, (which, color, marker) in zip(named, EXTREMES, strict=False):
        name = f"{which}: {label(curve.classes[i])}"
        axes.plot(
            curve.radii, _numbers(curve.per_class[i]), color=color, marker=marker,
            markersize=5, linewidth=1.5, label=name, clip_on=False,
        )  # fmt: skip
    axes.plot(curve.radii, curve.accuracy, color=INK, linewidth=2.6, label="all samples")
    reach = curve.radii[-1] or 1.0
    axes.set(xlim=(0, reach), ylim=(0, 1.02), ylabel="stay right")
    axes.set_xlabel(f"radius ({radius(curve.norm, eps).split()[0]}), dotted: the headline's")
    axes.set_xticks(curve.radii, [_short(curve, entry) for entry in curve.radii])
    axes.yaxis.set_major_formatter(in_percent)
    axes.grid(axis="y", color="#eef1f4", linewidth=0.8)
    axes.set_axisbelow(True)
    legend(axes, ax, columns=4)
    return axes


def _apart(curve: Curve, ranked: list[int]) -> bool:
    return len(ranked) > 1 and curve.class_auc[ranked[0]] != curve.class_auc[ranked[-1]]


def _one_path(radii: list[float], rows: list[list[float | None]]) -> tuple[list, list]:
    """Many curves as one, broken between two: a thousand classes are one element."""
    return (
        [place for _ in rows for place in (*radii, np.nan)],
        [value for row in rows for value in (*_numbers(row), np.nan)],
    )


def _numbers(row: list[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in row]


def _short(curve: Curve, value: float) -> str:
    """A radius without its norm."""
    return radius(curve.norm, value).split()[1]
