"""Runs that can be compared: what an audit or an attack found for each sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from classward.core.errors import InputError
from classward.evaluation.audited import worst_case
from classward.evaluation.plan import HEADLINE
from classward.records.audit_result import Audit
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import load


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What a run found for each sample.

    Attributes:
        name: Its folder, or the attack of a record in memory.
        model: How the model was named.
        verdict: That of an audit; "unjudged" for a bare record.
        eps: Radius; `None` where the attack has none.
        norm: Its norm.
        attacks: Attack name -> its options.
        records: Attack name -> its record.
        headline: The record whose attack matrix counts.
    """

    name: str
    model: str
    verdict: Literal["sound", "suspect", "unsound", "unjudged"]
    eps: float | None
    norm: str | None
    attacks: dict[str, str]
    records: dict[str, Record]
    headline: Record

    @property
    def robust(self) -> Bool[Tensor, " n"]:
        """Samples right before the attacks and under every one."""
        return worst_case(self.records)


def measured(run: object) -> Measured:
    """Read a run.

    Args:
        run: Folder of an audit or of an attack, or a `Record` in memory.

    Raises:
        InputError: If it is none of these, not complete, or damaged.
    """
    if isinstance(run, Record):
        return _attacked(run, None)
    if not isinstance(run, str | Path):
        kind = type(run).__name__
        raise InputError(f"cannot compare a {kind}: give the folder of a run, or a Record")
    folder = RunFolder.open(run)
    if folder.kind == "audit":
        return _audited(folder)
    if folder.kind == "attack":
        return _attacked(Record.open(run), str(run))
    raise InputError(f"{run}: a run of '{folder.kind}', expected an audit or an attack")


def measured_audit(run: str | Path) -> Measured:
    """Read the folder of an audit.

    Raises:
        InputError: If it is none, not complete, or damaged.
    """
    folder = RunFolder.open(run)
    if folder.kind != "audit":
        raise InputError(f"{run}: a run of '{folder.kind}', expected an audit")
    return _audited(folder)


def check_same_samples(reference: Measured, other: Measured) -> None:
    """Refuse runs whose samples or classes are not the same.

    Raises:
        InputError: If data, ids, labels or class names differ.
    """
    old, new = reference.headline, other.headline
    names = f"{other.name} and {reference.name}"
    if old.class_names != new.class_names:
        raise InputError(f"{names} have other classes: compare runs on the same data")
    digests = [record.settings.get("data_digest") for record in (old, new)]
    same = torch.equal(old.ids, new.ids) and torch.equal(old.labels, new.labels)
    if not same or (None not in digests and digests[0] != digests[1]):
        raise InputError(f"{names} have other samples: give both the same --data and --samples")


def _audited(folder: RunFolder) -> Measured:
    path = folder.path / "result.json"
    if not path.exists():
        raise InputError(f"{folder.path}: the audit is not complete; finish it with --resume")
    audit = load(path.read_bytes(), str(path))
    if not isinstance(audit, Audit):
        raise InputError(f"{path}: holds no audit; start the run anew")
    records = {name: Record.open(folder.path / name) for name in audit.attacks}
    if abs(worst_case(records).double().mean().item() - audit.robust_accuracy) > 1e-9:
        raise InputError(f"{path}: not the result of the records beside it; audit again")
    return Measured(
        name=str(folder.path),
        model=audit.model,
        verdict=audit.verdict,
        eps=audit.eps,
        norm=audit.norm,
        attacks=audit.attack_options,
        records=records,
        headline=records[HEADLINE],
    )


def _attacked(record: Record, name: str | None) -> Measured:
    attack = str(record.settings.get("attack", "attack"))
    short = str(record.settings.get("attack_name", "attack"))
    return Measured(
        name=name or attack,
        model=str(record.settings.get("model", "not recorded"))[:16],
        verdict="unjudged",
        eps=record.settings.get("eps"),
        norm=record.settings.get("norm"),
        attacks={short: attack},
        records={short: record},
        headline=record,
    )
