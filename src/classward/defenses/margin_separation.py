"""Adversarial training with a margin between logits, and prototypes held apart.

Source: this package; no paper has it. The margin is that of additive-margin softmax (Wang et
al., "Additive Margin Softmax for Face Verification", arXiv:1801.05599) on plain logits, and the
term on prototypes is Eqs. 7 and 8 of Mei et al. (AAAI 2023), whose L_intra it does without.
Not to be confused with: large-margin softmax, which multiplies angles; symmetry-aware training,
whose prototypes have unit norm and whose features are drawn to them. The weights of classes,
if asked for, are those of DAFA (`classward.core.fair_weights`).
"""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from classward.core.fair_weights import FairWeights
from classward.core.losses import LossName, cross_entropy
from classward.core.options import Count, NonNegative, checked
from classward.core.separation import GivenPairs, Separation, size
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.heads import Head, LinearHead
from classward.models.network import Network


class MarginSeparation(Defense):
    """Cross-entropy on adversarial images as if every other logit were `margin` higher.

    The attack climbs the cross-entropy without the margin.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
        margin: By how much the label's logit is to lead, in logits.
        alpha: Weight of the squared distance of the prototypes' cosines from Sigma.
        pairs: Maximum symmetry pairs, which are held apart further; none by default. "warm_up"
            finds them among the training adversaries.
        zeta: Extra separation of each pair, in units of cosine.
        fairness: Strength of `fair_weights` for the worst class; 0.5 after a long warm-up.
        warm_up_epochs: Epochs whose training adversaries pairs and fair weights are made of.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin")

    separation: Separation
    weights: FairWeights
    pairs: GivenPairs

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        margin: NonNegative = 2.0,
        alpha: NonNegative = 2.0,
        pairs: GivenPairs = (),
        zeta: NonNegative = 0.1,
        fairness: NonNegative = 0.0,
        warm_up_epochs: Count = 10,
    ) -> None:
        super().__init__(attack)
        self.margin, self.alpha, self.pairs = margin, alpha, pairs
        self.zeta, self.fairness, self.warm_up_epochs = zeta, fairness, warm_up_epochs

    def head(self, features: int, classes: int) -> Head:
        """A linear layer; now that the classes are counted, Sigma and weights are made.

        Raises:
            ValueError: If no such Sigma exists.
        """
        self.separation = Separation(
            classes, self.pairs, self.zeta, warm_up_epochs=self.warm_up_epochs
        )
        self.weights = FairWeights(classes, self.fairness, self.warm_up_epochs)
        return LinearHead(features, classes)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Both terms; the first in nats."""
        logits = network(batch.adversarial)
        sigma = self.separation(cosines := network.head.cosines(), batch.epoch)
        for counter in (self.separation, self.weights):
            counter.count(batch.labels, logits.argmax(dim=1), batch.epoch)
        lowered = logits.scatter_add(
            1, batch.labels[:, None], logits.new_full((len(logits), 1), -self.margin)
        )
        inter = size((cosines - sigma).flatten(), "squared")  # Eq. 7 of Mei et al.
        weights = self.weights(batch.labels, batch.epoch)
        return {
            "cross_entropy": (weights * cross_entropy(lowered, batch.labels)).mean(),
            "inter": self.alpha * inter,
        }

    def log(self) -> dict[str, Any]:
        """The pairs found so far, if they are to be found."""
        return self.separation.log()
