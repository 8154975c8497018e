"""How often each logit is among those that pull most, beside what chance and the inputs give.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2, of any network from logits to logits.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from classward.analysis.significance import average_ranks
from classward.analysis.supporting_classes import (
    Part,
    bhattacharyya,
    looked_at,
    support,
    support_by_backward,
    top_counts,
)
from classward.core.errors import InputError
from classward.core.types import Labels, Logits
from classward.correction.corrector import Corrector
from classward.correction.network import CorrectionNetwork
from classward.correction.pool import check_final
from classward.records.explanation_result import Counted, SupportReference
from classward.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The samples of a record that were right before the attack.

    Attributes:
        clean: Their logits then.
        attacked: Their logits after it.
        labels: Their classes.
        shuffled: The same in random order, each class as often.
        names: Names of all classes.
    """

    clean: Logits
    attacked: Logits
    labels: Labels
    shuffled: Labels
    names: list[str]


def selected(
    name: str, record: Record, corrector: Corrector, generator: torch.Generator
) -> Rows:
    """The samples of a record that are explained.

    Raises:
        InputError: If it does not fit the corrector, or nothing was right before the attack.
    """
    check_fits(name, record, corrector)
    right = record.correct
    if not right.any():
        raise InputError(f"record '{name}': nothing was right before the attack")
    labels = record.labels[right]
    return Rows(
        clean=record.clean_logits[right],
        attacked=record.adversarial_logits[right],
        labels=labels,
        shuffled=labels[torch.randperm(len(labels), generator=generator)],
        names=list(record.class_names),
    )


def check_fits(name: str, record: Record, corrector: Corrector) -> None:
    """Refuse a record that is not of final iterates, or of other classes.

    Raises:
        InputError: If it is.
    """
    check_final(record, f"record '{name}'")
    if record.classes != corrector.n_features_in_:
        raise InputError(
            f"record '{name}' has {record.classes} classes, the corrector "
            f"{corrector.n_features_in_}: fit one on records of this model"
        )


def pulls(
    network: nn.Module, logits: Logits, labels: Labels, part: Part = "joined"
) -> Float[Tensor, "n k"]:
    """S_k of any network, or a part of it; in closed form where the layers allow it."""
    if not isinstance(network, CorrectionNetwork) or network.second or network.ranks:
        return support_by_backward(network, logits, labels, part=part)
    output, hidden = network.output.weight, network.hidden
    if hidden is None:
        return support(logits, labels, output, part=part)
    return support(logits, labels, output, hidden.weight, hidden.bias, part=part)


def counts_of(
    network: nn.Module, logits: Logits, labels: Labels, part: Part = "joined"
) -> Int64[Tensor, " k"]:
    """In how many samples each class is among those looked at, by S, H_i or -H_mean."""
    return top_counts(_ranked(network, logits, labels, part), looked_at(logits.shape[1]))


def counted(
    network: nn.Module, others: Mapping[str, nn.Module], rows: Rows, part: Part
) -> Counted:
    """The counts of a network, and the same of what they are to be compared with.

    Args:
        network: The network.
        others: Others by name, to be counted beside it.
        rows: The samples.
        part: What is ranked.
    """
    logits, labels, count = rows.attacked, rows.labels, len(rows.labels)
    most = looked_at(logits.shape[1])
    scores = _ranked(network, logits, labels, part)
    counts = top_counts(scores, most)
    compared = {name: counts_of(other, logits, labels, part) for name, other in others.items()}
    compared["permuted labels"] = counts_of(network, logits, rows.shuffled, part)
    references = {name: _reference(other, counts, count) for name, other in compared.items()}
    if count > 1:
        one, two = (top_counts(scores[half::2], most) for half in (0, 1))
        references["one half beside the other"] = _reference(one, two, len(scores[::2]))
    order = counts.argsort(descending=True, stable=True).tolist()
    return Counted(
        counts={rows.names[i]: int(counts[i]) for i in order if counts[i]},
        supporting=[rows.names[i] for i in order[:most]],
        top_share=counts.max().item() / count,
        follows_logits=_spearman(counts, logits.mean(dim=0)),
        references=references,
    )


def untrained(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose linear layers are drawn anew, uniform in +-1/sqrt(fan-in)."""
    made, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    for layer in made.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            for values in layer.parameters():
                nn.init.uniform_(values, -bound, bound, generator=generator)
    return made.requires_grad_(False)


def _ranked(
    network: nn.Module, logits: Logits, labels: Labels, part: Part
) -> Float[Tensor, "n k"]:
    scores = pulls(network, logits, labels, part)
    return -scores if part == "mean" else scores


def _reference(
    other: Int64[Tensor, " k"], counts: Int64[Tensor, " k"], samples: int
) -> SupportReference:
    return SupportReference(
        top_share=other.max().item() / samples, overlap=bhattacharyya(counts, other)
    )


def _spearman(one: Tensor, other: Tensor) -> float | None:
    """Rank correlation, or `None` where one of them is constant."""
    ranks = torch.stack([average_ranks(values.double()) for values in (one, other)])
    correlation = torch.corrcoef(ranks)[0, 1].item()
    return correlation if isfinite(correlation) else None
