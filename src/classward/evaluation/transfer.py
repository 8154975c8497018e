"""Transfer: each corrector on each attack and network, those it was not fitted on included.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Tables 1 to 3.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.analysis.significance import share
from classward.core.errors import InputError
from classward.core.types import Labels, Logits
from classward.correction.corrector import Corrector
from classward.correction.pool import check_final
from classward.records.correction_result import TransferTable
from classward.records.record import Record
from classward.records.result import Share

SAME = 1e-2  # clean logits of one sample differ by less, whatever the device and precision


def transfer_table(
    correctors: Mapping[str, Corrector],
    records: Mapping[str, Record],
    *,
    every: bool = False,
) -> TransferTable:
    """Accuracy of each corrector under each attack, over selected samples.

    Selected are the samples that all records hold and that were right before the attack.

    Args:
        correctors: Fitted correctors by name, the columns.
        records: Attack records of one classifier by name, the rows; a row "clean" is added.
        every: Look at every sample that all records hold instead.

    Raises:
        InputError: If nothing is given, or the records do not fit each other or a corrector.
    """
    if not correctors or not records:
        raise InputError("transfer_table needs at least one corrector and one record, got none")
    for name, record in records.items():
        check_final(record, f"record '{name}'")
    shared = _shared(records)
    first, *_ = records.values()
    selected = shared if every else shared[first.correct[torch.isin(first.ids, shared)]]
    rows = {
        name: record.adversarial_logits[torch.isin(record.ids, selected)]
        for name, record in records.items()
    }
    chosen = torch.isin(first.ids, selected)
    rows["clean"], labels = first.clean_logits[chosen], first.labels[chosen]
    return TransferTable(
        attacks=list(rows),
        correctors=list(correctors),
        accuracy=[
            [share_of(corrected_right(c, logits, labels)) for c in correctors.values()]
            for logits in rows.values()
        ],
        samples=len(selected),
    )


def recovered(corrector: Corrector, record: Record) -> Share:
    """Of the samples that were right and fell, the share that the corrector gets right."""
    fell = record.correct & (record.predictions != record.labels)
    right = corrected_right(corrector, record.adversarial_logits, record.labels)
    return share_of(right[fell])


def damaged(corrector: Corrector, record: Record) -> Share:
    """Of the samples that are right when clean, the share that the corrector makes wrong."""
    right = corrected_right(corrector, record.clean_logits, record.labels)
    return share_of(~right[record.correct])


def standardised(
    logits: Logits, theirs: Float[Tensor, "m k"], ours: Float[Tensor, "l k"]
) -> Logits:
    """Logits of one network with the mean and the spread of another's.

    One mean and one deviation for all classes, so no prediction changes.

    Args:
        logits: Of their network, clean or attacked.
        theirs: Clean training logits of their network.
        ours: Those of the network whose scale is wanted.

    Raises:
        InputError: If all of `theirs` are equal.
    """
    if theirs.std() == 0:
        raise InputError("logits that are all equal cannot be standardised")
    return (logits - theirs.mean()) / theirs.std() * ours.std() + ours.mean()


def corrected_right(corrector: Corrector, logits: Logits, labels: Labels) -> Bool[Tensor, " n"]:
    """Samples whose corrected logits are largest at the label."""
    return torch.from_numpy(corrector.predict(logits)) == labels


def share_of(holds: Bool[Tensor, " n"]) -> Share:
    """Share of samples of which it holds."""
    return share(int(holds.sum()), len(holds))


def _shared(records: Mapping[str, Record]) -> Int64[Tensor, " m"]:
    """Ids that all records hold, ascending; the records must mean the same samples by them."""
    (name, first), *others = records.items()
    ids = first.ids
    for _, record in others:
        ids = ids[torch.isin(ids, record.ids)]
    if len(ids) == 0:
        raise InputError(f"the records {', '.join(records)} have no sample in common")
    here = torch.isin(first.ids, ids)
    for other, record in others:
        there = torch.isin(record.ids, ids)
        if not torch.equal(first.labels[here], record.labels[there]):
            raise InputError(f"records '{name}' and '{other}' are of different data: labels")
        if first.classes != record.classes or not torch.allclose(
            first.clean_logits[here], record.clean_logits[there], rtol=SAME, atol=SAME
        ):
            raise InputError(f"records '{name}' and '{other}' are of different classifiers")
    return ids
