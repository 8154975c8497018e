"""Prototype conformity loss: features near their own class's centre and far from the others'.

Paper: Mustafa et al., "Adversarial Defense by Restricting the Hidden Space of Deep Neural
Networks", ICCV 2019, Eq. 3.
Reading: on the features before the last layer alone, where the paper adds branches to several
layers; distances are squared, centres to pull to and to push from are learned apart and with
learning rates of their own, as in the authors' program. Its adversarial training overwrites the
clean batch and attacks unnormalised images; here clean and adversarial images are a batch
together, and the attack is as everywhere.
What to distrust: the loss alone, without adversarial images, is known to hide gradients.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classward.core.losses import TINY, LossName, cross_entropy
from classward.core.options import NonNegative, checked
from classward.core.types import Attack, Features, Labels
from classward.defenses.base import Batch, Defense
from classward.models.heads import Head
from classward.models.network import Network


class Pcl(Defense):
    """Mean cross-entropy, plus distance to the own centre, minus that to the other ones.

    Args:
        attack: Makes half of the training images; `None` leaves the choice to whoever trains.
        pull: Weight of the mean squared distance to the own centre.
        push: Weight of the mean squared distance to the others'.
        pull_rate: Learning rate of the centres to pull to, in units of the network's and
            whatever the weight; the defaults are the paper's for a network's rate of 0.1.
        push_rate: The same of the centres to push from.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    pull_centers: nn.Parameter
    push_centers: nn.Parameter

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        pull: NonNegative = 1.0,
        push: NonNegative = 1e-5,
        pull_rate: NonNegative = 5.0,
        push_rate: NonNegative = 1e-4,
    ) -> None:
        super().__init__(attack)
        self.pull, self.push = pull, push
        self.pull_rate, self.push_rate = pull_rate, push_rate

    def head(self, features: int, classes: int) -> Head:
        """The usual last layer; the centres are made with it."""
        self.pull_centers = nn.Parameter(torch.randn(classes, features))
        self.push_centers = nn.Parameter(torch.randn(classes, features))
        return super().head(features, classes)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """All three terms on the clean and the adversarial images."""
        labels = torch.cat([batch.labels, batch.labels])
        features = network.features(torch.cat([batch.images, batch.adversarial]))
        to = _at_rate(self.pull_centers, self.pull_rate / max(self.pull, TINY))
        away = _at_rate(self.push_centers, self.push_rate / max(self.push, TINY))
        near, far = distances(features, to, labels)[0], distances(features, away, labels)[1]
        return {
            "cross_entropy": cross_entropy(network.head(features), labels).mean(),
            "pull": self.pull * near,
            "push": -self.push * far,
        }


def distances(
    features: Features, centers: Float[Tensor, "k d"], labels: Labels
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean squared distance to the centre of the label, and to those of the others."""
    distances = (features[:, None] - centers).square().sum(dim=2)
    own = distances.gather(1, labels[:, None])
    others = distances.sum(dim=1, keepdim=True) - own
    return own.mean(), others.mean() / (len(centers) - 1)


def _at_rate(centers: Tensor, rate: float) -> Tensor:
    """The centres, whose gradient comes back multiplied."""
    return centers.detach() + rate * (centers - centers.detach())
