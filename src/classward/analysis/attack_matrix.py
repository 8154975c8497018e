"""Attack success rate, attack proportion and attack matrix: which class falls to which.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eqs. 1-3.
Reading: Eqs. 1 and 2 count all samples, also those that were wrong before the attack; a row
sums to 1 and its diagonal entry is the share still classified right.
Not to be confused with: the success rate over samples that were right before the attack,
which most other work reports (`over="correct"`).
"""

from typing import Literal

from jaxtyping import Float, Float64, Int64
from torch import Tensor

from classward.analysis.significance import share
from classward.core.confusion import confusion, row_shares
from classward.core.errors import InputError
from classward.core.types import Labels
from classward.core.wilson import wilson_bounds
from classward.records.result import Share


def attack_success_rate(
    labels: Labels,
    predictions: Labels,
    *,
    over: Literal["all", "correct"] = "all",
    clean_predictions: Labels | None = None,
) -> Share:
    """Share of samples that are not classified as their label after the attack.

    Args:
        labels: True classes.
        predictions: Classes after the attack.
        over: "all" samples as in Eq. 1, or those "correct" before the attack.
        clean_predictions: Classes before the attack; needed for "correct".

    Raises:
        InputError: If `clean_predictions` are needed and not given.
    """
    wrong = predictions != labels
    if over == "all":
        return share(int(wrong.sum()), len(wrong))  # Eq. 1
    if clean_predictions is None:
        raise InputError('over="correct" needs clean_predictions')
    correct = clean_predictions == labels
    return share(int((wrong & correct).sum()), int(correct.sum()))


def attack_proportion(labels: Labels, predictions: Labels, source: int, target: int) -> Share:
    """Share of class `source` that is classified as `target` after the attack.

    >>> import torch
    >>> attack_proportion(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1]), 0, 1).value
    0.5
    """
    of_source = labels == source
    hits = int((predictions[of_source] == target).sum())
    return share(hits, int(of_source.sum()))  # Eq. 2


def attack_matrix(
    labels: Labels, predictions: Labels, classes: int
) -> Float[Tensor, "{classes} {classes}"]:
    """Attack proportion of every class i (row) as j (column).

    The row of a class without samples is NaN, that is, undefined.

    Raises:
        InputError: If a label or prediction is not one of 0..classes - 1.
    """
    return row_shares(checked_confusion(labels, predictions, classes))  # Eq. 3


def checked_confusion(
    labels: Labels, predictions: Tensor, classes: int
) -> Int64[Tensor, "{classes} {classes}"]:
    """`confusion` of tensors that come from outside.

    Raises:
        InputError: If the two are not equally many, or one is not of 0..classes - 1.
    """
    if labels.shape != predictions.shape:
        raise InputError(f"{tuple(predictions.shape)} predictions for {len(labels)} labels")
    for name, values in (("label", labels), ("prediction", predictions)):
        wrong = values[(values < 0) | (values >= classes)]
        if len(wrong):
            raise InputError(f"{name} {wrong[0].item()} is not a class of 0..{classes - 1}")
    return confusion(labels, predictions, classes)


def matrix_intervals(
    counts: Int64[Tensor, "k k"],
) -> tuple[Float64[Tensor, "k k"], Float64[Tensor, "k k"]]:
    """Lower and upper ends of the 95 % Wilson intervals of the attack matrix.

    >>> import torch
    >>> low, high = matrix_intervals(torch.tensor([[1, 3], [0, 0]]))
    >>> low.round(decimals=2).tolist(), high.round(decimals=2).tolist()
    ([[0.05, 0.3], [nan, nan]], [[0.7, 0.95], [nan, nan]])
    """
    return wilson_bounds(counts, counts.sum(dim=1, keepdim=True).expand_as(counts))
