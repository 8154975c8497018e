"""The attack matrix of batches that come one after the other, as a metric of a training loop.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 3.
Not to be confused with: a metric of torchmetrics. It has the same three methods and needs no
package; `MetricCollection` takes nothing but torchmetrics' own class.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from classward.analysis.attack_matrix import checked_confusion
from classward.core.confusion import row_shares
from classward.core.errors import InputError
from classward.core.types import Labels


class AttackMatrix(nn.Module):
    """Counts predictions after an attack by their labels; a submodule like any other.

    Counts are no buffers, since DistributedDataParallel overwrites the buffers of every process
    with those of the first. They move with the module, no change of its precision rounds them,
    and a state dict holds them: those of the process that writes it.

    Args:
        classes: Number of classes k.

    Attributes:
        counts: Samples of class i (row) taken for j, of this process alone.

    Raises:
        InputError: If `classes` is not positive.

    >>> metric = AttackMatrix(2)
    >>> metric.update(torch.tensor([0, 0, 0, 0]), torch.tensor([1, 1, 1, 0]))
    >>> metric.compute().tolist()
    [[0.25, 0.75], [nan, nan]]
    """

    counts: Int64[Tensor, "k k"]

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"classes must be at least 1, got {classes}")
        self.counts = torch.zeros((classes, classes), dtype=torch.int64)

    def update(self, labels: Labels, adversarial_predictions: Labels) -> None:
        """Count a batch, on whatever device it is.

        Raises:
            InputError: If there are not as many predictions as labels, or one is no class.
        """
        found = checked_confusion(labels, adversarial_predictions, len(self.counts))
        self.counts += found.to(self.counts.device)

    def compute(self) -> Float64[Tensor, "k k"]:
        """Eq. 3 over all batches since `reset`, on the CPU, as `attack_matrix` gives it.

        Where torch.distributed is initialised, over those of all processes: all must call it,
        and all get the same.
        """
        counts = self.counts.clone()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(counts)
        return row_shares(counts.cpu())  # Eq. 3

    def reset(self) -> None:
        """Forget all batches."""
        self.counts.zero_()

    def forward(
        self, labels: Labels, adversarial_predictions: Labels
    ) -> Float64[Tensor, "k k"]:
        """`update`, and the matrix of this batch alone, of this process."""
        self.update(labels, adversarial_predictions)
        found = checked_confusion(labels, adversarial_predictions, len(self.counts))
        return row_shares(found.cpu())

    def get_extra_state(self) -> Int64[Tensor, "k k"]:
        """What a state dict holds."""
        return self.counts.clone()

    def set_extra_state(self, state: Any) -> None:
        """Go on from the counts of a state dict.

        Raises:
            InputError: If they are those of another number of classes.
        """
        if not isinstance(state, Tensor) or state.shape != self.counts.shape:
            got = tuple(getattr(state, "shape", ()))
            raise InputError(f"counts of shape {tuple(self.counts.shape)} expected, got {got}")
        self.counts = state.to(self.counts)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AttackMatrix":
        super()._apply(fn, recurse)
        moved = fn(self.counts)
        self.counts = moved if moved.dtype == torch.int64 else self.counts.to(moved.device)
        return self
