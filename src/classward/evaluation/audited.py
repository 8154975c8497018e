"""Puts the result of an audit together from the records of its attacks."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from classward.core.wilson import wilson
from classward.evaluation import verdict as checks_of
from classward.evaluation.plan import HEADLINE, Planned
from classward.evaluation.request import versions
from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit, Check, ClassAccuracy, RatioAndP
from classward.records.curve_result import Curve
from classward.records.record import Record
from classward.records.result import Matrix, Passes
from classward.records.shards import summed


def worst_case(records: Mapping[str, Record]) -> Bool[Tensor, " n"]:
    """Samples right before the attacks and under every one of them.

    Args:
        records: Of all samples, or of those that stood when the attack began; the first is of
            all of them. Each in the order of its ids.
    """
    first, *others = records.values()
    robust = first.robust.clone()
    for record in others:
        where = torch.searchsorted(first.ids, record.ids)
        robust[where] &= record.robust
    return robust


def audited(
    records: Mapping[str, Record],
    planned: Mapping[str, Planned],
    analysis: Analysis,
    settings: Mapping[str, Any],
    *,
    checks: list[Check],
    check_passes: Passes,
    curve: Curve | None,
    left_out: list[str],
) -> Audit:
    """The result of an audit, from its records and what was checked of them."""
    head, robust = records[HEADLINE], worst_case(records)
    final = {key: record for key, record in records.items() if planned[key].until is None}
    count, total = int(robust.sum()), len(robust)
    shares = {key: int(record.robust.sum()) / total for key, record in records.items()}
    passes = [record.passes for record in records.values()]
    passes += [check_passes] if curve is None else [check_passes, curve.passes]
    return Audit(
        clean_accuracy=head.clean_accuracy,
        robust_accuracy=count / total,
        interval=wilson(count, total),
        samples=total,
        attacks=shares,
        per_class=_per_class(head, robust),
        attack_matrix=analysis.attack_matrix,
        symmetry={
            key: RatioAndP(ratio=entry.value, null=entry.null or 0.0, p=entry.p)
            for key, entry in analysis.symmetry.items()
        },
        maximum_symmetry_pairs=analysis.maximum_symmetry_pairs,
        tolerance=analysis.tolerance,
        verdict=checks_of.verdict(checks),
        checks=checks,
        mode=settings["mode"],
        passes=summed(Passes, passes),
        seconds=sum(record.seconds for record in records.values()),
        attack_matrices={
            key: _matrix(record) for key, record in final.items() if key != HEADLINE
        },
        attack_options={key: str(planned[key]) for key in records},
        analysis=analysis,
        classes=head.class_names,
        eps=settings["eps"],
        norm=settings["norm"],
        seed=settings["seed"],
        model=settings["model"],
        data=settings["data"],
        undecided=sorted({i for record in records.values() for i in record.undecided}),
        versions=versions(),
        curve=curve,
        check_passes=check_passes,
        left_out=left_out,
    )


def _per_class(record: Record, robust: Tensor) -> list[ClassAccuracy]:
    rows = []
    for index, name in enumerate(record.class_names):
        own = record.labels == index
        samples = int(own.sum())
        clean, kept = int(record.correct[own].sum()), int(robust[own].sum())
        rows.append(
            ClassAccuracy(
                name=name,
                samples=samples,
                clean=clean / samples if samples else None,
                robust=kept / samples if samples else None,
                clean_interval=wilson(clean, samples) if samples else None,
                robust_interval=wilson(kept, samples) if samples else None,
            )
        )
    return rows


def _matrix(record: Record) -> Matrix:
    return [
        [None if value != value else value for value in row]
        for row in record.attack_matrix().tolist()
    ]
