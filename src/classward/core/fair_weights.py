"""Weights of classes that let a training care most for the classes that fall most.

Source: Lee et al., "DAFA: Distance-Aware Fair Adversarial Training", ICLR 2024,
arXiv:2401.12532, its weights of the loss. Its radii by class are not here.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from classward.core.confusion import confusion, row_shares
from classward.core.symmetric_pairs import AttackMatrix
from classward.core.types import Labels


def fair_weights(matrix: AttackMatrix, strength: float) -> Float[Tensor, " k"]:
    """A weight for each class: 1, and more for what falls to classes that stand better.

    Of two classes the weaker one gains its share of errors that goes to the other, times the
    other's accuracy; the other loses as much. No weight is below 0.

    Args:
        matrix: Shares of class i (row) predicted as class j.
        strength: What gains and losses are multiplied by.

    >>> fair_weights(torch.tensor([[0.5, 0.5], [0.25, 0.75]]), 1.0).tolist()
    [1.375, 0.625]
    """
    stands = matrix.diagonal()
    weaker = stands[:, None] < stands
    moved = (matrix * stands) * weaker  # from j (column) to i
    return (1 + strength * (moved.sum(dim=1) - moved.sum(dim=0))).clamp(min=0)


class FairWeights(nn.Module):
    """`fair_weights` of the training adversaries of the first epochs; 1 until these are over.

    Only the counts are state: the weights follow from them, so a training that was stopped
    goes on bit for bit.

    Args:
        classes: Number of classes.
        strength: As for `fair_weights`; 0 counts nothing.
        warm_up_epochs: Epochs whose adversaries are counted.
    """

    counts: Int64[Tensor, "k k"]

    def __init__(self, classes: int, strength: float, warm_up_epochs: int) -> None:
        super().__init__()
        self.strength, self.warm_up_epochs = strength, warm_up_epochs
        if strength:
            self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.int64))

    def forward(self, labels: Labels, epoch: int) -> Float[Tensor, " n"]:
        """The weight of each sample at this epoch."""
        if not self.strength or epoch < self.warm_up_epochs:
            return torch.ones(len(labels), device=labels.device)
        shares = row_shares(self.counts).nan_to_num(0)
        return fair_weights(shares, self.strength).to(torch.float32)[labels]

    def count(self, labels: Labels, predictions: Labels, epoch: int) -> None:
        """Count the predictions of training adversaries, if it is time to."""
        if self.strength and epoch < self.warm_up_epochs:
            self.counts += confusion(labels, predictions, len(self.counts))
