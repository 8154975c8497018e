"""Result of the class-level analysis of one attack record."""

from typing import Any

from classward.core.errors import InputError
from classward.records.notebook import shown
from classward.records.result import Matrix, Pairs, Result, Share, Statistic, result


@result
class ClassRobustness(Result):
    """One class under attack.

    Attributes:
        name: Its name.
        samples: Samples of the class.
        clean: Share classified right before the attack.
        robust: Share classified right before and after.
        boundary_error: Share classified right before and not after: clean minus robust.
        out_flow: Share that leaves: 1 minus the diagonal of the attack matrix.
        in_flow: Sum over the other classes of the share that arrives from there.
        net_flow: `in_flow` minus `out_flow`; positive for a class that attracts.
        concentration: 1 minus the normalised entropy of where leavers go; 1 = one target.
        top_target: Name of the class that takes most of the leavers.
        top_share: Share of the class that goes there.
    """

    name: str
    samples: int
    clean: Share
    robust: Share
    boundary_error: float | None
    out_flow: float | None
    in_flow: float | None
    net_flow: float | None
    concentration: float | None
    top_target: str | None
    top_share: float | None


@result
class Analysis(Result):
    """Class-level analysis of one attack record.

    Attributes:
        classes: Class names.
        attack: The attack, with its options.
        samples: Number of samples.
        counts: Samples of class i (row) classified as j after the attack.
        attack_matrix: Eq. 3 of the symmetry paper: rows of `counts` as shares, or null.
        undefined_classes: Names of the classes without samples.
        success_rate: Eq. 1, over all samples.
        success_rate_over_correct: Over the samples that were right before the attack.
        symmetry: Tolerance as text -> ratio of symmetric pairs (Table 1), with its null;
            empty where fewer than two classes have samples.
        correlation: Pearson correlation of M_ij with M_ji over i != j, with its null.
        rank_correlation: The same of their ranks (Spearman).
        maximum_symmetry_pairs: Mutual top targets within `tolerance` (Def. 2, in words).
        literal_pairs: Pairs of Eq. 5 as printed.
        tolerance: Largest difference of a symmetric pair, in shares.
        weight_similarity: Eq. 6, or null.
        weights_reason: Where the class weights came from, or why there are none.
        mantel: Rank correlation of Eq. 6 with the symmetrised attack matrix.
        per_class: One entry for each class.
        worst_class: Name of the class with the lowest robust accuracy; of equals the first.
        best_class: Name of the class with the highest.
        class_gap: Best minus worst robust accuracy of a class.
        class_std: Population standard deviation of robust accuracy over classes.
        class_cv: `class_std` divided by the mean over classes.
        symmetry_index: 1 - |M - M^T| / |M + M^T|, Frobenius norms off the diagonal.
        bowker: Bowker's test of `counts`: a small p speaks against symmetry.
        seed: Seed of the permutations.
    """

    classes: list[str]
    attack: str
    samples: int
    counts: list[list[int]]
    attack_matrix: Matrix
    undefined_classes: list[str]
    success_rate: Share
    success_rate_over_correct: Share
    symmetry: dict[str, Statistic]
    correlation: Statistic | None
    rank_correlation: Statistic | None
    maximum_symmetry_pairs: Pairs
    literal_pairs: Pairs
    tolerance: float
    weight_similarity: Matrix | None
    weights_reason: str
    mantel: Statistic | None
    per_class: list[ClassRobustness]
    worst_class: str
    best_class: str
    class_gap: float
    class_std: float
    class_cv: float | None
    symmetry_index: float | None
    bowker: Statistic | None
    seed: int

    def symmetry_ratio(self, tolerance: float) -> float:
        """Share of class pairs with |M_ij - M_ji| < tolerance.

        Raises:
            InputError: If this tolerance was not analysed.
        """
        try:
            return self.symmetry[f"{tolerance:g}"].value
        except KeyError:
            known = ", ".join(self.symmetry) or "none: it takes two classes with samples"
            raise InputError(
                f"no ratio at tolerance {tolerance:g}; analysed: {known}"
            ) from None

    @property
    def significance(self) -> dict[str, float]:
        """p-value of every statistic that has one, uncorrected for their number."""
        named = {f"symmetry_ratio {name}": entry for name, entry in self.symmetry.items()}
        named |= {
            "correlation": self.correlation,
            "rank_correlation": self.rank_correlation,
            "mantel": self.mantel,
            "bowker": self.bowker,
        }
        return {name: entry.p for name, entry in named.items() if entry is not None}

    def headline(self) -> str:
        """Success rate with its interval, and of what."""
        rate = shown(self.success_rate.to_dict())
        return f"success rate {rate} of {self.samples} samples; {self.attack}"

    def rows(self) -> list[dict[str, Any]]:
        """One row for each class."""
        return [entry.to_dict() for entry in self.per_class]
