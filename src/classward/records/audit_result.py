"""Result of `classward audit`."""

from dataclasses import field
from typing import Any, Literal

from classward.records.analysis_result import Analysis
from classward.records.curve_result import Curve
from classward.records.result import Matrix, Pairs, Passes, Result, result

Verdict = Literal["sound", "suspect", "unsound"]


@result
class Check(Result):
    """One thing that was checked about a robust accuracy.

    Attributes:
        name: Its name in snake case.
        passed: Whether it holds.
        evidence: One sentence with the figures, for a non-specialist.
        otherwise: The verdict when it does not hold.
    """

    name: str
    passed: bool
    evidence: str
    otherwise: Literal["suspect", "unsound"]


@result
class ClassAccuracy(Result):
    """Accuracy of one class; undefined where it has no samples."""

    name: str
    samples: int
    clean: float | None
    robust: float | None
    clean_interval: tuple[float, float] | None
    robust_interval: tuple[float, float] | None


@result
class RatioAndP(Result):
    """Symmetry ratio, its mean under the permutation null, and its p-value."""

    ratio: float
    null: float
    p: float


@result
class Audit(Result):
    """What `classward audit` found.

    Attributes:
        clean_accuracy: Share of all samples classified right before the attacks.
        robust_accuracy: Share right before and under every attack (worst case per sample).
        interval: 95 % Wilson interval of `robust_accuracy`.
        samples: Number of samples.
        attacks: Attack name -> robust accuracy under it alone.
        per_class: Clean and robust (worst case) accuracy of each class.
        attack_matrix: That of the final iterate of PGD on cross-entropy.
        symmetry: Tolerance -> ratio and p of that matrix.
        maximum_symmetry_pairs: Of that matrix.
        tolerance: Of the pairs.
        verdict: Whether the headline can be trusted.
        checks: What says so.
        mode: "exact" (float32) or "fast".
        passes: Images sent through the network by attacks, curve and checks; where
            `check_passes` is `None`, by the attacks alone. Of a random model, an image sent
            through the mean of its draws counts once.
        seconds: Wall time of the attacks.
        attack_matrices: The matrices of the other attacks.
        attack_options: Attack name -> its options.
        analysis: The whole class-level analysis.
        classes: Class names.
        eps: Radius of the ball.
        norm: "linf" or "l2".
        seed: Seed of the run.
        model: How the model was named.
        data: How the data were named.
        undecided: Ids of samples whose decision a rounding error could turn.
        versions: Versions of what computed it.
        curve: Accuracy against the radius; `None` unless the budget is full.
        check_passes: Those of `passes` that the checks sent; `None` in results that were saved
            before these were counted.
        left_out: What the time limit left out: names of attacks, and "curve".
    """

    clean_accuracy: float
    robust_accuracy: float
    interval: tuple[float, float]
    samples: int
    attacks: dict[str, float]
    per_class: list[ClassAccuracy]
    attack_matrix: Matrix
    symmetry: dict[str, RatioAndP]
    maximum_symmetry_pairs: Pairs
    tolerance: float
    verdict: Verdict
    checks: list[Check]
    mode: Literal["exact", "fast"]
    passes: Passes
    seconds: float
    attack_matrices: dict[str, Matrix]
    attack_options: dict[str, str]
    analysis: Analysis
    classes: list[str]
    eps: float
    norm: Literal["linf", "l2"]
    seed: int
    model: str
    data: str
    undecided: list[int]
    versions: dict[str, str]
    curve: Curve | None = None
    check_passes: Passes | None = None
    left_out: list[str] = field(default_factory=list)

    def report(self, path: str) -> None:
        """Write the result as one HTML page that opens offline."""
        from classward.reporting.page import render

        render(self, path)

    def headline(self) -> str:
        """Robust accuracy with its interval, N and the verdict: it never stands without."""
        low, high = self.interval
        return (
            f"robust accuracy {self.robust_accuracy:.1%} ({low:.1%} to {high:.1%}) of "
            f"{self.samples} samples, {self.verdict}; {self.model} on {self.data}, {self.norm} "
            f"{self.eps:.4g}"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One row for each class."""
        return [entry.to_dict() for entry in self.per_class]
