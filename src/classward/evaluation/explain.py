"""Which input logits a corrector listens to, and whether that is more than chance.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2 (supporting classes, Bhattacharyya coefficients, logits reduced by 20) and Fig. 1 (mean
logits).
Beside every figure stands what something gives that has learned nothing of the attack: without
that, a class that dominates can be a trait of the inputs or of the first weights.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Int64
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from classward.analysis.significance import share
from classward.analysis.supporting_classes import bhattacharyya, looked_at, lowered
from classward.core.errors import InputError
from classward.core.types import Labels
from classward.correction.corrector import Corrector
from classward.data.split import Split
from classward.evaluation.class_images import class_images
from classward.evaluation.pulls import Rows, counted, counts_of, pulls, selected, untrained
from classward.evaluation.transfer import share_of
from classward.records.explanation_result import (
    Explanation,
    First,
    Lowered,
    MeanLogits,
    SupportingClasses,
)
from classward.records.record import Record

BY = 20.0  # of the paper
DRAWS = 20  # of random classes
BINS = 30
SHOWN = 10  # classes with an image, the most frequent of each attack
NARROW = 1e-3  # mean logits that differ by less are one: rounding alone tells them apart


@torch.no_grad()
def explain(
    corrector: Corrector,
    records: Mapping[str, Record],
    *,
    second: Corrector | None = None,
    data: Split | None = None,
    by: float = BY,
    seed: int = 0,
) -> Explanation:
    """Supporting classes of a fitted corrector under each attack, over selected samples.

    Args:
        corrector: Fitted; its network may be any that is differentiable.
        records: Attack records of test images by name; selected are the samples that were
            right before the attack.
        second: The same fitted with another seed, for comparison.
        data: The images of the first record, to show one of each of its most frequent classes.
        by: How far logits are reduced to see what depends on them.
        seed: Seed of the references.

    Raises:
        InputError: If there is no record, one is not of final iterates or of other classes, or
            nothing was right before the attack; or if the data are other samples.
    """
    check_is_fitted(corrector)
    if not records:
        raise InputError("explain needs at least one attack record, got none")
    network = corrector.network_
    others = {"random weights": untrained(network, seed)}
    if second is not None:
        check_is_fitted(second)
        others["another seed"] = second.network_
    draws = {name: torch.Generator().manual_seed(seed) for name in records}
    seen = {
        name: selected(name, record, corrector, draws[name]) for name, record in records.items()
    }
    found = [
        _of_attack(name, rows, network, others, by, draws[name]) for name, rows in seen.items()
    ]
    counts = [counts_of(network, rows.attacked, rows.labels) for rows in seen.values()]
    options = ", ".join(f"{name}={value!r}" for name, value in corrector.get_params().items())
    shown = [name for entry in found for name in list(entry.joined.counts)[:SHOWN]]
    first, *_ = records.values()
    return Explanation(
        corrector=f"{type(corrector).__name__}({options})",
        attacks=found,
        overlap=[[bhattacharyya(one, other) for other in counts] for one in counts],
        images={} if data is None else class_images(shown, first, data),
    )


def _of_attack(
    name: str,
    rows: Rows,
    network: nn.Module,
    others: Mapping[str, nn.Module],
    by: float,
    generator: torch.Generator,
) -> SupportingClasses:
    count, classes = rows.attacked.shape
    most = looked_at(classes)
    joined = counted(network, others, rows, "joined")
    top = torch.tensor([rows.names.index(class_) for class_ in joined.supporting])
    draws = [torch.randperm(classes, generator=generator)[:most] for _ in range(DRAWS)]
    right = network(rows.attacked).argmax(dim=1) == rows.labels
    leading = pulls(network, rows.attacked, rows.labels).argmax(dim=1)
    return SupportingClasses(
        attack=name,
        samples=count,
        looked_at=most,
        expected_share=most / classes,
        joined=joined,
        own=counted(network, others, rows, "own"),
        mean=counted(network, others, rows, "mean"),
        corrected=share_of(right),
        first_corrected=_first(leading, rows, right),
        first_missed=_first(leading, rows, ~right),
        lowered=_lowered(network, rows, [top], by),
        lowered_random=_lowered(network, rows, draws, by),
        by=by,
        mean_logits=mean_logits(rows),
    )


def _first(leading: Labels, rows: Rows, among: Bool[Tensor, " n"]) -> First:
    """How often the logit that leads is that of the label, and that of the attacked class."""
    said = rows.attacked.argmax(dim=1)
    return First(
        label=share_of((leading == rows.labels)[among]),
        attacked=share_of((leading == said)[among & (said != rows.labels)]),
    )


def _lowered(
    network: nn.Module, rows: Rows, choices: list[Int64[Tensor, " m"]], by: float
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


def mean_logits(rows: Rows) -> MeanLogits:
    """Samples by the mean of their logits, in bins that hold both kinds."""
    clean, attacked = (part.double().mean(dim=1) for part in (rows.clean, rows.attacked))
    both = torch.cat([clean, attacked])
    low, high = both.min().item(), both.max().item()
    if high - low < NARROW:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(part.numpy(), bins=edges)[0] for part in (clean, attacked)]
    return MeanLogits(
        edges=edges.tolist(), clean=counts[0].tolist(), attacked=counts[1].tolist()
    )
