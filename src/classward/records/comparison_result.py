"""Result of `classward compare`: what changed between runs on the same samples."""

from typing import Any, Literal

from classward.records.result import Matrix, Pairs, Result, result

SIGNIFICANT = 0.05  # p below which a difference is more than chance


@result
class Difference(Result):
    """A share of the same samples in two runs; undefined where there are none.

    Attributes:
        lost: Samples that count in the reference alone.
        gained: Samples that count in the other run alone.
        total: Samples asked.
        reference: Share in the reference, in [0, 1].
        other: Share in the other run.
        difference: `other` minus `reference`.
        low: Lower end of its 95 % Bonett-Price interval.
        high: Upper end.
        p: Exact McNemar test, two-sided: chance alone loses and gains as unequally.
        adjusted_p: The same, adjusted by Holm for the other tests of its table; `None` where
            it is no row of a table.
    """

    lost: int
    gained: int
    total: int
    reference: float | None
    other: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    adjusted_p: float | None

    @property
    def significant(self) -> bool:
        """Whether it is more than chance, counting the other tests of its table."""
        p = self.p if self.adjusted_p is None else self.adjusted_p
        return p is not None and p < SIGNIFICANT

    @property
    def worse(self) -> bool:
        """Whether the other run loses more than it gains, beyond chance."""
        return self.significant and self.lost > self.gained


@result
class ClassDifference(Result):
    """One class: clean accuracy, and accuracy under every attack (worst case)."""

    name: str
    clean: Difference
    robust: Difference


@result
class FlowDifference(Result):
    """Share of class `source` that is classified as `target` after the headline attack."""

    source: str
    target: str
    share: Difference


@result
class ComparedRun(Result):
    """One of the runs.

    Attributes:
        name: Its folder, or the attack of a record in memory.
        model: How the model was named.
        verdict: Of an audit; a bare record is "unjudged".
        eps: Radius of the ball; `None` where the attack has none.
        norm: "linf", "l2", or `None` where it is not recorded.
        attacks: Attack name -> its options.
        maximum_symmetry_pairs: Of its headline attack.
    """

    name: str
    model: str
    verdict: Literal["sound", "suspect", "unsound", "unjudged"]
    eps: float | None
    norm: str | None
    attacks: dict[str, str]
    maximum_symmetry_pairs: Pairs


@result
class RunDifference(Result):
    """One run against the reference.

    Attributes:
        name: The run.
        clean: Clean accuracy.
        attacks: Attack name -> accuracy under it alone, of the attacks that both runs made.
        worst_case: Accuracy under every attack of its own run.
        per_class: The same for each class; p-values adjusted over the classes.
        matrix: Headline attack matrix minus that of the reference; undefined rows are null.
        flows: Its largest changes off the diagonal; p-values adjusted over all flows.
        pairs_gained: Maximum symmetry pairs of this run alone.
        pairs_lost: Those of the reference alone.
    """

    name: str
    clean: Difference
    attacks: dict[str, Difference]
    worst_case: Difference
    per_class: list[ClassDifference]
    matrix: Matrix
    flows: list[FlowDifference]
    pairs_gained: Pairs
    pairs_lost: Pairs

    def columns(self) -> dict[str, Difference]:
        """Every share of all samples: clean, each attack, the worst case."""
        return {"clean": self.clean, **self.attacks, "worst case": self.worst_case}


@result
class Comparison(Result):
    """Runs on the same samples, each against the first.

    Attributes:
        data: How the data were named.
        samples: Number of samples.
        classes: Class names.
        tolerance: Of the maximum symmetry pairs.
        runs: The runs, the reference first.
        differences: One entry for each run but the reference.
    """

    data: str
    samples: int
    classes: list[str]
    tolerance: float
    runs: list[ComparedRun]
    differences: list[RunDifference]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each run but the reference and each share of all samples."""
        return [
            {"run": entry.name, "share": name} | share.to_dict()
            for entry in self.differences
            for name, share in entry.columns().items()
        ]
