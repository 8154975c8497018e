"""Robust accuracy against the radius."""

from typing import Any, Literal

from classward.records.result import Matrix, Passes, Result, result

Interval = tuple[float, float]


@result
class Curve(Result):
    """Share of samples that stay right at each radius, over all and in each class.

    A sample that falls at one radius has fallen at every larger one, so no curve ever rises.

    Attributes:
        radii: Radii of the ball, in pixel units, the smallest first; that one is 0.
        accuracy: Share of all samples that stand at each radius; at 0, clean accuracy.
        intervals: Their 95 % Wilson intervals.
        per_class: The same of each class (row) at each radius (column); `None` without samples.
        class_intervals: Their 95 % Wilson intervals.
        auc: Area under `accuracy` over the largest radius, in [0, 1].
        class_auc: That of each class; `None` without samples.
        classes: Class names.
        norm: "linf" or "l2".
        attack: The attack at the radius of the audit, with its options.
        samples: Number of samples.
        passes: Images sent through the network.
    """

    radii: list[float]
    accuracy: list[float]
    intervals: list[Interval]
    per_class: Matrix
    class_intervals: list[list[Interval | None]]
    auc: float
    class_auc: list[float | None]
    classes: list[str]
    norm: Literal["linf", "l2"]
    attack: str
    samples: int
    passes: Passes

    def rows(self) -> list[dict[str, Any]]:
        """One row for each radius."""
        return [
            {"radius": radius, "accuracy": accuracy, "low": low, "high": high}
            for radius, accuracy, (low, high) in zip(
                self.radii, self.accuracy, self.intervals, strict=True
            )
        ]
