"""The class-level analysis of one attack record: every measure of this folder in one result.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eqs. 1-6, Table 1, Figs. 3 and 5.
"""

from collections.abc import Sequence
from functools import partial

from jaxtyping import Float, Float64
from torch import Tensor

from classward.analysis.attack_matrix import attack_success_rate
from classward.analysis.class_metrics import (
    best_class,
    class_accuracy,
    class_cv,
    class_gap,
    class_std,
    per_class,
    worst_class,
)
from classward.analysis.significance import bowker
from classward.analysis.symmetry import (
    correlation_test,
    literal_pairs,
    maximum_symmetry_pairs,
    ratio_test,
    symmetry_index,
)
from classward.analysis.weight_similarity import mantel, weight_similarity
from classward.core.errors import InputError
from classward.records.analysis_result import Analysis
from classward.records.record import Record
from classward.records.result import Matrix, Statistic

SHUFFLED_ENTRIES = 200_000_000  # for each null: 2,000 draws up to 316 classes, 200 at 1,000
FEWEST_DRAWS = 99


def analyze(
    record: Record,
    *,
    weights: Float[Tensor, "k d"] | None = None,
    weights_reason: str | None = None,
    tolerance: float = 0.2,
    tolerances: Sequence[float] = (0.05, 0.1, 0.2),
    permutations: int = 2000,
    seed: int = 0,
) -> Analysis:
    """Measure which class falls to which, and what of it is more than chance.

    Classes without samples are named and left out of every statistic. One that does not exist,
    such as a correlation of fewer than three classes, is `None`.

    Args:
        record: What the classifier said before and after the attack.
        weights: Class weights for Eq. 6.
        weights_reason: Where they came from, or why there are none.
        tolerance: Largest difference of a maximum symmetry pair, in shares.
        tolerances: Those of Table 1.
        permutations: Draws from each null. Above 316 classes fewer are taken, so that all
            draws hold 2e8 entries, but at least 99; each statistic says how many it had.
        seed: Seed of the draws.

    Raises:
        InputError: If the record is empty, a tolerance or `permutations` is not positive, or
            the weights are not of these classes.
    """
    _check(record, weights, (tolerance, *tolerances), permutations)
    names, counts, matrix = record.class_names, record.confusion(), record.attack_matrix()
    present = counts.sum(dim=1) > 0
    shares = matrix[present][:, present]
    pairable = matrix.nan_to_num(0)  # a class that sends nothing is in no pair
    draws = min(permutations, max(FEWEST_DRAWS, SHUFFLED_ENTRIES // len(shares) ** 2))
    success = partial(attack_success_rate, record.labels, record.predictions)
    robust = class_accuracy(record.labels, record.robust, record.classes)
    similarity, reason = _similarity(weights, weights_reason)
    alike = None if similarity is None else similarity[present][:, present]
    return Analysis(
        classes=names,
        attack=str(record.settings.get("attack", "not recorded")),
        samples=len(record),
        counts=counts.tolist(),
        attack_matrix=_with_nulls(matrix),
        undefined_classes=[names[i] for i in (~present).nonzero().flatten().tolist()],
        success_rate=success(),
        success_rate_over_correct=success(
            over="correct", clean_predictions=record.clean_predictions
        ),
        symmetry=_ratios(shares, tolerances, draws, seed),
        correlation=correlation_test(shares, draws=draws, seed=seed),
        rank_correlation=correlation_test(shares, ranks=True, draws=draws, seed=seed),
        maximum_symmetry_pairs=maximum_symmetry_pairs(pairable, tolerance),
        literal_pairs=literal_pairs(pairable, tolerance),
        tolerance=tolerance,
        weight_similarity=None if similarity is None else similarity.tolist(),
        weights_reason=reason,
        mantel=None if alike is None else mantel(alike, shares, draws=draws, seed=seed),
        per_class=per_class(record),
        worst_class=names[worst_class(robust)],
        best_class=names[best_class(robust)],
        class_gap=class_gap(robust),
        class_std=class_std(robust),
        class_cv=class_cv(robust),
        symmetry_index=symmetry_index(shares),
        bowker=bowker(counts[present][:, present]),
        seed=seed,
    )


def _check(
    record: Record, weights: Tensor | None, tolerances: Sequence[float], permutations: int
) -> None:
    if len(record) == 0:
        raise InputError("an analysis needs at least one sample, got 0")
    if wrong := [limit for limit in tolerances if not 0 < limit <= 1]:
        raise InputError(f"a tolerance must be in (0, 1], got {wrong[0]}")
    if permutations < 1:
        raise InputError(f"permutations must be at least 1, got {permutations}")
    if weights is not None and len(weights) != record.classes:
        raise InputError(f"{len(weights)} class weights for {record.classes} classes")


def _similarity(
    weights: Tensor | None, reason: str | None
) -> tuple[Float64[Tensor, "k k"] | None, str]:
    if weights is None:
        return None, reason or "not asked"
    try:
        return weight_similarity(weights), reason or "given"
    except InputError as error:  # weights without a direction spoil no other measure
        return None, str(error)


def _ratios(
    shares: Float[Tensor, "k k"], tolerances: Sequence[float], draws: int, seed: int
) -> dict[str, Statistic]:
    if len(shares) < 2:
        return {}
    names = [f"{limit:g}" for limit in tolerances]
    ratios = ratio_test(shares, tolerances, draws=draws, seed=seed)
    return dict(zip(names, ratios, strict=True))


def _with_nulls(matrix: Float[Tensor, "k k"]) -> Matrix:
    return [[None] * len(row) if row[0] != row[0] else row for row in matrix.tolist()]
