"""Standard training: cross-entropy on clean images, the row every defense is compared with.

Paper: Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, Sec. 6.2.1.1.
Not to be confused with: adversarial training with a radius of 0, which spends the attack.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName, cross_entropy
from classward.core.types import Images
from classward.defenses.base import Batch, Defense
from classward.models.network import Network


class Standard(Defense):
    """Mean cross-entropy on clean images; no attack, no options."""

    attacked: ClassVar[bool] = False
    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin")

    def __init__(self) -> None:
        super().__init__()

    def perturb(self, network: Network, batch: Batch) -> Images:
        """The clean images themselves."""
        return batch.images

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy, in nats."""
        return {"cross_entropy": cross_entropy(network(batch.images), batch.labels).mean()}
