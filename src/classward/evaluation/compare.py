"""Runs on the same samples against the first of them: what changed, and is it more than chance.

Every difference is taken sample by sample, which sees far smaller changes than two intervals
laid side by side.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from classward.analysis.paired import counted, difference, holm, mcnemar
from classward.analysis.symmetry import maximum_symmetry_pairs
from classward.core.confusion import confusion, row_shares
from classward.core.errors import InputError
from classward.evaluation.measured import Measured, check_same_samples, measured
from classward.records.comparison_result import (
    ClassDifference,
    ComparedRun,
    Comparison,
    Difference,
    FlowDifference,
    RunDifference,
)
from classward.records.record import Record
from classward.records.result import Matrix, Pairs

MOST_FLOWS = 10


def compare(*runs: str | Path | Record, tolerance: float = 0.2) -> Comparison:
    """Compare runs on the same samples with the first: accuracy, classes, flows and pairs.

    Args:
        runs: Folders of audits or attacks, or records; the first is the reference.
        tolerance: Largest difference of a maximum symmetry pair, in shares.

    Raises:
        InputError: If there are fewer than two, one is no such run, or samples or classes
            differ.
    """
    if len(runs) < 2:
        raise InputError(f"compare needs two runs or more, got {len(runs)}")
    if not 0 < tolerance <= 1:
        raise InputError(f"a tolerance must be in (0, 1], got {tolerance}")
    return compared([measured(run) for run in runs], tolerance)


def compared(runs: list[Measured], tolerance: float = 0.2) -> Comparison:
    """The same of runs that were read."""
    reference, *others = runs
    for other in others:
        check_same_samples(reference, other)
    head = reference.headline
    pairs = [_pairs(run, tolerance) for run in runs]
    return Comparison(
        data=str(head.settings.get("data", "not recorded")),
        samples=len(head),
        classes=head.class_names,
        tolerance=tolerance,
        runs=[_described(run, own) for run, own in zip(runs, pairs, strict=True)],
        differences=[
            _against(reference, other, pairs[0], own)
            for other, own in zip(others, pairs[1:], strict=True)
        ],
    )


def _described(run: Measured, pairs: Pairs) -> ComparedRun:
    return ComparedRun(
        name=run.name,
        model=run.model,
        verdict=run.verdict,
        eps=run.eps,
        norm=run.norm,
        attacks=run.attacks,
        maximum_symmetry_pairs=pairs,
    )


def _against(reference: Measured, other: Measured, before: Pairs, now: Pairs) -> RunDifference:
    old, new = reference.headline, other.headline
    matrix, flows = _flows(old, new)
    return RunDifference(
        name=other.name,
        clean=difference(old.correct, new.correct),
        attacks=_attacks(reference, other),
        worst_case=difference(reference.robust, other.robust),
        per_class=_per_class(reference, other),
        matrix=matrix,
        flows=flows,
        pairs_gained=[pair for pair in now if pair not in before],
        pairs_lost=[pair for pair in before if pair not in now],
    )


def _attacks(reference: Measured, other: Measured) -> dict[str, Difference]:
    """Those that both made on the same samples."""
    both = {
        name: (record, other.records[name])
        for name, record in reference.records.items()
        if name in other.records and torch.equal(record.ids, other.records[name].ids)
    }
    return {name: difference(old.robust, new.robust) for name, (old, new) in both.items()}


def _per_class(reference: Measured, other: Measured) -> list[ClassDifference]:
    old, new = reference.headline, other.headline
    clean = _by_class(old, old.correct, new.correct)
    robust = _by_class(old, reference.robust, other.robust)
    return [
        ClassDifference(name=name, clean=clean[i], robust=robust[i])
        for i, name in enumerate(old.class_names)
    ]


def _by_class(
    record: Record, reference: Bool[Tensor, " n"], other: Bool[Tensor, " n"]
) -> list[Difference]:
    totals, kept, lost, gained = (
        torch.bincount(record.labels[where], minlength=record.classes)
        for where in (slice(None), reference, reference & ~other, other & ~reference)
    )
    adjusted = _adjusted(lost, gained).tolist()
    columns = [counts.tolist() for counts in (kept, lost, gained, totals)]
    return [counted(*row) for row in zip(*columns, adjusted, strict=True)]


def _adjusted(
    lost: Int64[Tensor, "*shape"], gained: Int64[Tensor, "*shape"]
) -> Float64[Tensor, "*shape"]:
    """p-values by Holm over the entries that changed: where none did, nothing is tested."""
    changed = lost + gained > 0
    p = torch.ones(changed.shape, dtype=torch.float64)
    p[changed] = holm(mcnemar(lost[changed], gained[changed]))
    return p


def _flows(old: Record, new: Record) -> tuple[Matrix, list[FlowDifference]]:
    """Difference of the attack matrices, and its largest entries off the diagonal."""
    k, apart = old.classes, old.predictions != new.predictions
    before, totals = old.confusion(), old.labels.bincount(minlength=old.classes)
    lost, gained = (
        confusion(old.labels[apart], record.predictions[apart], k).fill_diagonal_(0)
        for record in (old, new)
    )
    adjusted = _adjusted(lost, gained)
    change = row_shares(new.confusion()) - row_shares(before)
    size = change.abs().nan_to_num(0).fill_diagonal_(0).flatten()
    largest = size.argsort(descending=True, stable=True)[:MOST_FLOWS].tolist()
    flows = [
        FlowDifference(
            source=old.class_names[i],
            target=old.class_names[j],
            share=counted(
                int(before[i, j]),
                int(lost[i, j]),
                int(gained[i, j]),
                int(totals[i]),
                adjusted[i, j].item(),
            ),
        )
        for i, j in (divmod(place, k) for place in largest if size[place] > 0)
    ]
    return [[None] * k if row[0] != row[0] else row for row in change.tolist()], flows


def _pairs(run: Measured, tolerance: float) -> Pairs:
    """A class without samples sends nothing and is in no pair."""
    return maximum_symmetry_pairs(run.headline.attack_matrix().nan_to_num(0), tolerance)
