"""Which input logits a corrector listens to, and whether that is more than chance.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2 (supporting classes, Bhattacharyya coefficients, logits reduced by 20).
Beside every figure stands what something gives that has learned nothing of the attack: without
that, a class that dominates can be a trait of the inputs or of the first weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from classward.analysis.significance import share
from classward.analysis.supporting_classes import (
    bhattacharyya,
    looked_at,
    lowered,
    support,
    top_counts,
)
from classward.core.errors import InputError
from classward.core.types import Labels, Logits
from classward.correction.corrector import Corrector
from classward.correction.network import CorrectionNetwork
from classward.correction.pool import check_final
from classward.records.explanation_result import (
    Explanation,
    Lowered,
    SupportingClasses,
    SupportReference,
)
from classward.records.record import Record
from classward.records.result import Share

BY = 20.0  # of the paper
DRAWS = 20  # of random classes


def explain(
    corrector: Corrector,
    records: Mapping[str, Record],
    *,
    second: Corrector | None = None,
    by: float = BY,
    seed: int = 0,
) -> Explanation:
    """Supporting classes of a fitted corrector under each attack, over selected samples.

    Args:
        corrector: Fitted.
        records: Attack records of test images by name; selected are the samples that were
            right before the attack.
        second: The same fitted with another seed, for comparison.
        by: How far logits are reduced to see what depends on them.
        seed: Seed of the references.

    Raises:
        InputError: If there is no record, one is not of final iterates or of other classes, or
            nothing was right before the attack.
    """
    check_is_fitted(corrector)
    if not records:
        raise InputError("explain needs at least one attack record, got none")
    network = corrector.network_
    others = {"random weights": _untrained(network, seed)}
    if second is not None:
        check_is_fitted(second)
        others["another seed"] = second.network_
    seen = {name: _selected(name, record, corrector) for name, record in records.items()}
    found = [
        _of_attack(name, rows, network, others, by, torch.Generator().manual_seed(seed))
        for name, rows in seen.items()
    ]
    counts = [_counts(network, rows.attacked, rows.labels) for rows in seen.values()]
    options = ", ".join(f"{name}={value!r}" for name, value in corrector.get_params().items())
    return Explanation(
        corrector=f"{type(corrector).__name__}({options})",
        attacks=found,
        overlap=[[bhattacharyya(one, other) for other in counts] for one in counts],
    )


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The selected samples of a record."""

    attacked: Logits
    labels: Labels
    names: list[str]


def _selected(name: str, record: Record, corrector: Corrector) -> _Rows:
    check_final(record, f"record '{name}'")
    if record.classes != corrector.n_features_in_:
        raise InputError(
            f"record '{name}' has {record.classes} classes, the corrector "
            f"{corrector.n_features_in_}: fit one on records of this model"
        )
    right = record.correct
    if not right.any():
        raise InputError(f"record '{name}': nothing was right before the attack")
    return _Rows(
        attacked=record.adversarial_logits[right],
        labels=record.labels[right],
        names=list(record.class_names),
    )


def _of_attack(
    name: str,
    rows: _Rows,
    network: CorrectionNetwork,
    others: Mapping[str, CorrectionNetwork],
    by: float,
    generator: torch.Generator,
) -> SupportingClasses:
    logits, labels = rows.attacked, rows.labels
    count, most = len(labels), looked_at(logits.shape[1])
    scores = _scores(network, logits, labels)
    counts = top_counts(scores, most)
    order = counts.argsort(descending=True, stable=True)
    top = order[:most]
    said = network(logits).argmax(dim=1)
    right, first = said == labels, scores.argmax(dim=1) == labels
    shuffled = labels[torch.randperm(count, generator=generator)]
    compared = {
        **{key: _counts(other, logits, labels) for key, other in others.items()},
        "permuted labels": _counts(network, logits, shuffled),
    }
    references = {
        key: SupportReference(
            top_share=other.max().item() / count, overlap=bhattacharyya(counts, other)
        )
        for key, other in compared.items()
    }
    if count > 1:
        one, two = (top_counts(scores[part::2], most) for part in (0, 1))
        references["one half beside the other"] = SupportReference(
            top_share=one.max().item() / len(scores[::2]), overlap=bhattacharyya(one, two)
        )
    draws = [torch.randperm(logits.shape[1], generator=generator)[:most] for _ in range(DRAWS)]
    return SupportingClasses(
        attack=name,
        samples=count,
        looked_at=most,
        counts={rows.names[i]: int(counts[i]) for i in order.tolist() if counts[i]},
        supporting=[rows.names[i] for i in top.tolist()],
        top_share=counts.max().item() / count,
        expected_share=most / logits.shape[1],
        top_is_label=_share(first[right]),
        top_is_label_missed=_share(first[~right]),
        references=references,
        corrected=_share(right),
        lowered=_lowered(network, rows, [top], by),
        lowered_random=_lowered(network, rows, draws, by),
        by=by,
    )


def _lowered(
    network: CorrectionNetwork, rows: _Rows, choices: list[Int64[Tensor, " m"]], by: float
) -> Lowered:
    """The mean over the choices of classes, with the interval of one of them."""
    attacked = rows.attacked.argmax(dim=1)
    fooled = attacked != rows.labels
    said = [network(lowered(rows.attacked, chosen, by)).argmax(dim=1) for chosen in choices]
    right = sum(int((one == rows.labels).sum()) for one in said) / len(said)
    back = sum(int((one == attacked)[fooled].sum()) for one in said) / len(said)
    return Lowered(
        right=share(round(right), len(fooled)),
        fallen_back=share(round(back), int(fooled.sum())),
    )


def _scores(network: CorrectionNetwork, logits: Logits, labels: Labels) -> Tensor:
    hidden = network.hidden
    if hidden is None:
        return support(logits, labels, network.output.weight).joined
    return support(logits, labels, network.output.weight, hidden.weight, hidden.bias).joined


def _counts(network: CorrectionNetwork, logits: Logits, labels: Labels) -> Int64[Tensor, " k"]:
    scores = _scores(network, logits, labels)
    return top_counts(scores, looked_at(scores.shape[1]))


def _untrained(network: CorrectionNetwork, seed: int) -> CorrectionNetwork:
    """One of the same shape with random weights."""
    hidden = None if network.hidden is None else len(network.hidden.bias)
    made = CorrectionNetwork(
        len(network.output.bias), hidden, torch.Generator().manual_seed(seed)
    )
    return made.requires_grad_(False)


def _share(right: Tensor) -> Share:
    return share(int(right.sum()), len(right))
