"""Hypersphere embedding: features and prototypes of unit length, and a margin for the label.

Paper: Pang et al., "Boosting Adversarial Training with Hypersphere Embedding", NeurIPS 2020,
Eq. 8 (the framework of adversarial training).
Reading: as in the authors' program, the margin is in the outer loss alone. Lengths are divided
by in the graph. The network returns cosines times the scale, where the authors' returns bare
ones; predictions are the same, and attacks from outside see a loss with a slope.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from classward.core.losses import LossName
from classward.core.options import NonNegative, Positive, checked
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.heads import CosineHead
from classward.models.network import Network


class HypersphereEmbedding(Defense):
    """Mean cross-entropy of `scale * (cosine - margin of the label)` on adversarial images.

    Args:
        attack: Makes the training images, without the margin; `None` leaves the choice to
            whoever trains.
        scale: What cosines are multiplied by.
        margin: What the label's cosine must lead by, in units of cosine.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        scale: Positive = 15.0,
        margin: NonNegative = 0.2,
    ) -> None:
        super().__init__(attack)
        self.scale, self.margin = scale, margin

    def head(self, features: int, classes: int) -> CosineHead:
        """Cosines times the scale."""
        return CosineHead(features, classes, self.scale)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy, in nats; `network` has the head that `head` built."""
        logits = network(batch.adversarial)
        lead = self.scale * self.margin * F.one_hot(batch.labels, logits.shape[1])
        return {"cross_entropy": F.cross_entropy(logits - lead, batch.labels)}  # Eq. 8
