"""TRADES: clean cross-entropy, and predictions that do not move under attack.

Paper: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy",
arXiv:1901.08573, Eq. 5.
Reading: as in the authors' program, the divergence goes from clean to adversarial predictions,
is averaged over samples alone, and has a gradient through both. The clean prediction that the
inner attack leaves is taken once, not at every step; clean and adversarial images pass the
network one after the other, so that batch norm does not mix them.
Not to be confused with: adversarial training, whose cross-entropy is on adversarial images.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName, cross_entropy, kl
from classward.core.options import NonNegative, checked
from classward.core.types import Attack, SampleLoss
from classward.defenses.base import Batch, Defense
from classward.models.network import Network


class Trades(Defense):
    """Mean cross-entropy on clean images, plus `beta` times the mean divergence.

    Args:
        attack: Climbs the divergence, which has no slope at the clean image: one that starts
            there follows rounding errors first. `None` leaves the choice to whoever trains.
        beta: Weight of the divergence: 6 for CIFAR-10 and 1 for MNIST in the paper.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin")

    @checked
    def __init__(self, *, attack: Attack | None = None, beta: NonNegative = 6.0) -> None:
        super().__init__(attack)
        self.beta = beta

    def climbed(self, network: Network, batch: Batch) -> SampleLoss:
        """The divergence from the clean predictions."""
        with torch.no_grad():
            clean = network(batch.images)
        return lambda logits, labels: kl(logits, clean)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Both terms of Eq. 5, in nats."""
        clean, adversarial = network(batch.images), network(batch.adversarial)
        return {
            "cross_entropy": cross_entropy(clean, batch.labels).mean(),
            "divergence": self.beta * kl(adversarial, clean).mean(),
        }
