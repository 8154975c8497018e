"""How unequal classes are under attack: spread of accuracy, flows, and where leavers go.

Sources: Xu et al., "To be Robust or to be Fair", arXiv:2010.06121 (boundary error); Tian et
al., "Analysis and Applications of Class-wise Robustness in Adversarial Training",
arXiv:2105.14240 (spread over classes).
Undefined entries, as of classes without samples, are NaN in all tensors here.
"""

from math import log

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.analysis.significance import share
from classward.core.types import Labels
from classward.records.analysis_result import ClassRobustness
from classward.records.record import Record

Accuracy = Float[Tensor, " k"]  # of each class, in [0, 1]


def class_accuracy(labels: Labels, right: Bool[Tensor, " n"], classes: int) -> Accuracy:
    """Share of each class that is right; NaN for a class without samples."""
    samples = torch.bincount(labels, minlength=classes)
    return torch.bincount(labels[right], minlength=classes).double() / samples


def worst_class(accuracy: Accuracy) -> int:
    """Class of the lowest accuracy; of equals the first."""
    return int(accuracy.nan_to_num(torch.inf).argmin())


def best_class(accuracy: Accuracy) -> int:
    """Class of the highest accuracy; of equals the first."""
    return int(accuracy.nan_to_num(-torch.inf).argmax())


def class_gap(accuracy: Accuracy) -> float:
    """Best minus worst accuracy of a class."""
    return (accuracy[best_class(accuracy)] - accuracy[worst_class(accuracy)]).item()


def class_std(accuracy: Accuracy) -> float:
    """Standard deviation over classes, which are the whole population."""
    return accuracy[~accuracy.isnan()].std(correction=0).item()


def class_cv(accuracy: Accuracy) -> float | None:
    """Coefficient of variation, `class_std` over the mean; `None` where the mean is 0."""
    mean = accuracy.nanmean().item()
    return class_std(accuracy) / mean if mean > 0 else None


def out_flow(matrix: Float[Tensor, "k k"]) -> Float[Tensor, " k"]:
    """Share of each class that ends in another one."""
    return 1 - matrix.diagonal()


def in_flow(matrix: Float[Tensor, "k k"]) -> Float[Tensor, " k"]:
    """Sum over the other classes of the share that ends here; may exceed 1."""
    defined = ~matrix.diagonal().isnan()
    others = defined.sum() - defined.long()
    arriving = _off_diagonal(matrix).nansum(dim=0)
    return arriving.masked_fill(others == 0, torch.nan)


def concentration(matrix: Float[Tensor, "k k"]) -> Float[Tensor, " k"]:
    """1 minus the entropy of where leavers go over its largest value, in [0, 1].

    1 is a single target, 0 all other classes alike. NaN for a class nobody leaves, and with
    two classes, where there is no choice.
    """
    leavers = _off_diagonal(matrix)
    targets = leavers / leavers.sum(dim=1, keepdim=True)
    entropy = torch.special.entr(targets).sum(dim=1)
    choices = len(matrix) - 1
    largest = log(choices) if choices > 1 else torch.nan
    return (1 - entropy / largest).clamp(0, 1)


def top_targets(
    matrix: Float[Tensor, "k k"],
) -> tuple[Float[Tensor, " k"], Int64[Tensor, " k"]]:
    """Share that goes to each class's most frequent target, and that target.

    Of equal targets the first counts; where the share is 0 or NaN there is none.
    """
    top = _off_diagonal(matrix).max(dim=1)
    return top.values, top.indices


def per_class(record: Record) -> list[ClassRobustness]:
    """Every class of a record under attack."""
    matrix, labels = record.attack_matrix(), record.labels
    samples, clean, robust = (
        torch.bincount(labels[kept], minlength=record.classes).tolist()
        for kept in (slice(None), record.correct, record.robust)
    )
    shares, targets = top_targets(matrix)
    leaving, arriving, focus = out_flow(matrix), in_flow(matrix), concentration(matrix)
    return [
        ClassRobustness(
            name=name,
            samples=samples[i],
            clean=share(clean[i], samples[i]),
            robust=share(robust[i], samples[i]),
            boundary_error=(clean[i] - robust[i]) / samples[i] if samples[i] else None,
            out_flow=_number(leaving[i]),
            in_flow=_number(arriving[i]),
            net_flow=_number(arriving[i] - leaving[i]),
            concentration=_number(focus[i]),
            top_target=record.class_names[targets[i]] if shares[i] > 0 else None,
            top_share=shares[i].item() if shares[i] > 0 else None,
        )
        for i, name in enumerate(record.class_names)
    ]


def _off_diagonal(matrix: Float[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    return matrix.clone().fill_diagonal_(0)


def _number(value: Float[Tensor, ""]) -> float | None:
    return None if value.isnan() else value.item()
