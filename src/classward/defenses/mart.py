"""MART: adversarial training that looks harder at samples the network has wrong when clean.

Paper: Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified
Examples", ICLR 2020, Eq. 11 and its boosted cross-entropy, Eq. 8.
Reading: constants as in the authors' program: 1e-4 inside the logarithm of the boosted
cross-entropy, 1e-7 beside the weight 1 - p_y, through which the gradient flows as well. The
attack climbs cross-entropy. All is computed in float32, as 1 + 1e-4 is 1 in less.
What to distrust: the boosted cross-entropy leaves less slope to attacks on the cross-entropy;
measure with the margin.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from classward.core.losses import LossName, cross_entropy, doubtful_kl, rivalry
from classward.core.options import NonNegative, checked
from classward.core.types import Attack, Labels, Logits
from classward.defenses.base import Batch, Defense
from classward.models.network import Network


class Mart(Defense):
    """Boosted cross-entropy, plus `beta` times the divergence weighted by the clean error.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
        beta: Weight of the divergence: 5 for ResNets and 6 for wide ones in the paper.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    @checked
    def __init__(self, *, attack: Attack | None = None, beta: NonNegative = 5.0) -> None:
        super().__init__(attack)
        self.beta = beta

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Both terms of Eq. 11, in nats."""
        clean, adversarial = network(batch.images).float(), network(batch.adversarial).float()
        divergence = doubtful_kl(adversarial, clean, batch.labels)
        return {
            "boosted": boosted(adversarial, batch.labels).mean(),
            "divergence": self.beta * divergence.mean(),
        }


def boosted(logits: Logits, labels: Labels) -> Float[Tensor, " n"]:
    """Eq. 8: cross-entropy, minus the logarithm of what the likeliest other class lacks."""
    return cross_entropy(logits, labels) + rivalry(logits, labels)  # Eq. 8
