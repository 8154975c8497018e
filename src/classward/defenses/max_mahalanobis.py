"""Max-Mahalanobis centres: features drawn to fixed centres, the corners of a simplex.

Paper: Pang et al., "Rethinking Softmax Cross-Entropy Loss for Adversarial Robustness", ICLR
2020, Eq. 8; the centres are those of its Algorithm 1, up to a rotation.
Reading: the loss is divided by the norm of the centres, or a usual learning rate diverges (the
authors take 0.01). The network returns minus the squared distances, scaled to a gap of 10 at a
centre: unscaled, with centres of norm 10, the gap is 222, and the cross-entropy has no slope
left for an attack. That is how the bare loss came to look robust; it is trained here on
adversarial images.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName
from classward.core.options import Positive, checked
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.heads import CenterHead
from classward.models.network import Network


class MaxMahalanobis(Defense):
    """Half the mean squared distance to the label's centre, of adversarial images.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
        norm: Norm of the centres.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    @checked
    def __init__(self, *, attack: Attack | None = None, norm: Positive = 10.0) -> None:
        super().__init__(attack)
        self.norm = norm

    def head(self, features: int, classes: int) -> CenterHead:
        """A linear layer, and distances to the centres."""
        return CenterHead(features, classes, self.norm)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Eq. 8, in units of the centres' norm; the head is that of `head`."""
        assert isinstance(network.head, CenterHead)
        distances = network.head.distances(network.features(batch.adversarial))
        own = distances.gather(1, batch.labels[:, None])
        return {"distance": own.mean() / 2 / self.norm}  # Eq. 8
