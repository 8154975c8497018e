"""Adversarial training (A.T.): cross-entropy on adversarial images alone.

Paper: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
arXiv:1706.06083, Eq. 2.1.
Reading: the authors' program attacks in train mode, so that every attack step moves the batch
statistics; here the attack runs in eval mode.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName, cross_entropy
from classward.core.options import checked
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.network import Network


class AdversarialTraining(Defense):
    """Mean cross-entropy on the images the attack makes; clean images are never trained on.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin")

    @checked
    def __init__(self, *, attack: Attack | None = None) -> None:
        super().__init__(attack)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy, in nats."""
        logits = network(batch.adversarial)
        return {"cross_entropy": cross_entropy(logits, batch.labels).mean()}  # Eq. 2.1
