"""Weight penalization: prototypes as far apart as so many can be, by a penalty.

Paper: Xu, Li and Yang, "Adversarial Robustness via Weight Penalization" (program of the
authors: MTandHJ/rbc); a baseline of the symmetry paper.
Reading: as in the authors' program, the penalty is a Frobenius norm, not its square; prototypes
have a norm of about 0.1, features pass tanh, there is no bias. Here prototypes are learned in
units of that norm. Logits are multiplied by 10, in the loss and for attacks; the authors take
them as they are, below 1, and train for 400 epochs.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName, cross_entropy
from classward.core.options import NonNegative, Positive, checked
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.heads import SmallNormHead
from classward.models.network import Network


class WeightPenalization(Defense):
    """Mean cross-entropy on adversarial images, plus `weight * |W W^T - norm^2 Sigma|`.

    Sigma has ones on the diagonal and -1 / (k - 1) elsewhere.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
        weight: Weight of the penalty; with the default norm, 100 is 1 for unit prototypes.
        norm: Norm that prototypes shall have.
        scale: What logits are multiplied by.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        weight: NonNegative = 100.0,
        norm: Positive = 0.1,
        scale: Positive = 10.0,
    ) -> None:
        super().__init__(attack)
        self.weight, self.norm, self.scale = weight, norm, scale

    def head(self, features: int, classes: int) -> SmallNormHead:
        """Prototypes of small norm on bounded features."""
        return SmallNormHead(features, classes, self.norm, self.scale)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Both terms; `network` has the head that `head` built."""
        logits = network(batch.adversarial)
        return {
            "cross_entropy": cross_entropy(logits, batch.labels).mean(),
            "penalty": self.weight * self.penalty(network.head.prototypes()),
        }

    def penalty(self, prototypes: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
        """Frobenius norm of what the prototypes' products differ by."""
        classes = len(prototypes)
        sigma = torch.full((classes, classes), 1 / (1 - classes)).fill_diagonal_(1)
        wanted = self.norm**2 * sigma.to(prototypes)
        return torch.linalg.matrix_norm(prototypes @ prototypes.T - wanted)
