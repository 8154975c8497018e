"""What prototypes shall be like in a training that holds class pairs apart.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eqs. 7 and 8.
"""

from collections.abc import Collection
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import PlainValidator
from torch import Tensor, nn

from classward.core.confusion import confusion, row_shares
from classward.core.cosines import Compensation, target_cosines, with_mean
from classward.core.symmetric_pairs import maximum_symmetry_pairs
from classward.core.types import Labels, Pair

Norm = Literal["squared", "plain"]
Theta = Literal["simplex", "mean"]


def read_pairs(value: Any) -> str | list[Pair]:
    """Check pairs, which may come from text such as [[3, 9], [1, 8]]; each becomes a tuple."""
    if value == "warm_up":
        return value
    given = list(value) if isinstance(value, Collection) else [value]
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in given):
        raise ValueError("expected pairs of classes such as [[3, 9]], or 'warm_up'")
    if any(type(number) is not int for pair in given for number in pair):
        raise ValueError("expected the numbers of classes, such as [[3, 9]]")
    return [(i, j) for i, j in given]


GivenPairs = Annotated[Literal["warm_up"] | Collection[Pair], PlainValidator(read_pairs)]


class Separation(nn.Module):
    """Sigma of Eq. 8, for pairs that are given or found in the first epochs.

    Until pairs are found, zeta is 0. Only the counts are state: Sigma follows from them, so a
    training that was stopped goes on bit for bit.

    Args:
        classes: Number of classes.
        pairs: The pairs, or "warm_up": the mutual top targets of the training adversaries.
        zeta: Extra separation of each pair, in units of cosine.
        compensation: Of Eq. 8, as in `target_cosines`.
        theta: "simplex" for -1 / (k - 1), "mean" for the mean cosine the prototypes have now.
        warm_up_epochs: Epochs whose adversaries are counted.

    Raises:
        ValueError: If no such cosines exist, or the options do not fit each other.
    """

    compensation: Compensation
    target: Float[Tensor, "k k"]
    counts: Int64[Tensor, "k k"]

    def __init__(
        self,
        classes: int,
        pairs: GivenPairs,
        zeta: float,
        *,
        compensation: Compensation = "least",
        theta: Theta = "simplex",
        warm_up_epochs: int = 10,
    ) -> None:
        super().__init__()
        check_fit(pairs, compensation, theta)
        self.given, self.zeta, self.compensation = pairs, zeta, compensation
        self.theta, self.warm_up_epochs = theta, warm_up_epochs
        self.waiting = pairs == "warm_up"
        if self.waiting:
            target_cosines(classes, [(0, 1)], zeta)  # refuses a zeta that no pair can have
            self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.int64))
        first = target_cosines(classes, [] if self.waiting else self.pairs, zeta, compensation)
        self.register_buffer("target", first.float(), persistent=False)

    @property
    def pairs(self) -> list[Pair]:
        """The pairs given, or those that the adversaries counted so far speak for."""
        if not isinstance(self.given, str):
            return [(i, j) for i, j in self.given]
        return maximum_symmetry_pairs(row_shares(self.counts.cpu()).nan_to_num(0))

    def forward(self, cosines: Float[Tensor, "k k"], epoch: int) -> Float[Tensor, "k k"]:
        """Sigma at this epoch, for prototypes with these cosines."""
        if self.waiting and epoch >= self.warm_up_epochs:
            found = target_cosines(len(cosines), self.pairs, self.zeta, self.compensation)
            self.target, self.waiting = found.to(self.target), False
        return self.target if self.theta == "simplex" else with_mean(self.target, cosines)

    def count(self, labels: Labels, predictions: Labels, epoch: int) -> None:
        """Count the predictions of training adversaries, if it is time to."""
        if self.counting(epoch):
            self.counts += confusion(labels, predictions, len(self.counts))

    def counting(self, epoch: int) -> bool:
        """Whether predictions of this epoch count."""
        return self.given == "warm_up" and epoch < self.warm_up_epochs

    def log(self) -> dict[str, Any]:
        """The pairs that were found, for the log of an epoch; nothing if they were given."""
        return {"pairs": [[*pair] for pair in self.pairs]} if self.given == "warm_up" else {}


def check_fit(pairs: GivenPairs, compensation: Compensation, theta: Theta) -> None:
    """Refuse options of a `Separation` that do not fit each other.

    Raises:
        ValueError: In one line.
    """
    if theta == "mean" and compensation == "least":
        raise ValueError(
            "theta 'mean' has no least compensation: set compensation to 'row_sum' or a number"
        )
    if pairs == "warm_up" and not isinstance(compensation, str):
        raise ValueError(
            "a compensation for pairs that are not known yet must be 'least' or 'row_sum'"
        )


def size(residual: Float[Tensor, "*n m"], norm: Norm) -> Float[Tensor, "*n"]:
    """Sum of squares over the last axis, or its root with a gradient at 0."""
    squared = residual.square().sum(dim=-1)
    return squared if norm == "squared" else (squared + 1e-12).sqrt()
