"""What a corrector listens to in one image, under each attack.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2 and appendix B, Fig. 4.
"""

from collections.abc import Mapping

import torch
from sklearn.utils.validation import check_is_fitted

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.evaluation.pulls import check_fits, pulls
from classward.records.instance_result import AttackedInstance, Instance, Pull
from classward.records.record import Record

TOP = 10  # of the paper


def explain_instance(
    corrector: Corrector, records: Mapping[str, Record], sample: int
) -> Instance:
    """The logits that pull one image's corrected prediction to its label, under each attack.

    Shown are the ten strongest, as in the paper. Compared between the attacks are as many, but
    no more than half of all classes, for all of them would always be the same.

    Args:
        corrector: Fitted.
        records: Attack records by name, of the same images.
        sample: Id of the image.

    Raises:
        InputError: If there is no record, one does not fit the corrector or lacks the sample,
            or they do not agree on its label.
    """
    check_is_fitted(corrector)
    if not records:
        raise InputError("explain_instance needs at least one attack record, got none")
    rows = {}
    for name, record in records.items():
        check_fits(name, record, corrector)
        rows[name] = _row(name, record, sample)
    labels = {record.class_names[record.labels[rows[name]]] for name, record in records.items()}
    if len(labels) > 1:
        raise InputError(
            f"sample {sample} is {' and '.join(sorted(labels))}: of different data"
        )
    found = [_under(name, record, rows[name], corrector) for name, record in records.items()]
    compared = min(TOP, max(1, corrector.n_features_in_ // 2))
    tops = [{pull.name for pull in entry.pulls[:compared]} for entry in found]
    return Instance(
        sample=sample,
        label=labels.pop(),
        attacks=found,
        compared=compared,
        overlap=[[len(one & two) / len(one | two) for two in tops] for one in tops],
    )


def _row(name: str, record: Record, sample: int) -> int:
    rows = (record.ids == sample).nonzero().flatten().tolist()
    if not rows:
        raise InputError(f"record '{name}' has no sample {sample}, it has {len(record)} others")
    return rows[0]


def _under(name: str, record: Record, row: int, corrector: Corrector) -> AttackedInstance:
    names, network = record.class_names, corrector.network_
    logits, label = record.adversarial_logits[[row]], record.labels[[row]]
    with torch.no_grad():
        corrected, scores = network(logits), pulls(network, logits, label)[0]
    order = scores.argsort(descending=True, stable=True)[:TOP].tolist()
    return AttackedInstance(
        attack=name,
        said=names[int(logits.argmax())],
        corrected=names[int(corrected.argmax())],
        pulls=[Pull(name=names[k], value=scores[k].item()) for k in order],
    )
