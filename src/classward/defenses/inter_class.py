"""The inter-class term of symmetry-aware training, beside any other objective.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eqs. 7 and 8.
Reading: Eq. 7 speaks of normalised weights. A head whose prototypes have other norms is held to
the same cosines, and its norms are left to the objective it is trained with.
"""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from classward.core.cosines import Compensation
from classward.core.losses import LossName
from classward.core.options import Count, NonNegative, checked
from classward.core.separation import GivenPairs, Norm, Separation, Theta, check_fit, size
from classward.core.types import Images
from classward.defenses.base import Batch, Defense
from classward.models.heads import Head
from classward.models.network import Network, evaluating


class InterClass(Defense):
    """Loss of another defense, plus `alpha * L_inter` on the prototypes of its head.

    Head, attack and adaptive losses are those of the other defense.

    Args:
        defense: The other one; its terms are logged as "defense.NAME".
        pairs: Maximum symmetry pairs of the training split; none is allowed, and holds all
            classes apart alike. With "warm_up", zeta is 0 until they are found among the
            training images, at the cost of one forward pass a step.
        zeta: Extra separation asked of each pair, in units of cosine.
        alpha: Weight of the inter-class term.
        norm: "squared", or "plain" for the norm as printed.
        compensation: How much nearer other classes may come, in units of cosine: "least" that
            is possible, "row_sum", or a number.
        theta: "simplex" for a Theta of -1 / (k - 1), "mean" for the mean cosine so far.
        warm_up_epochs: Epochs after which `pairs="warm_up"` takes the pairs found.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    separation: Separation
    pairs: GivenPairs
    compensation: Compensation
    theta: Theta
    norm: Norm

    @checked
    def __init__(
        self,
        *,
        defense: Defense,
        pairs: GivenPairs,
        zeta: NonNegative = 0.1,
        alpha: NonNegative = 2.0,
        norm: Norm = "squared",
        compensation: Compensation = "least",
        theta: Theta = "simplex",
        warm_up_epochs: Count = 10,
    ) -> None:
        super().__init__(defense.attack)
        check_fit(pairs, compensation, theta)
        self.defense = defense
        self.attacked = defense.attacked  # pyright: ignore[reportAttributeAccessIssue]
        self.adaptive_losses = defense.adaptive_losses  # pyright: ignore[reportAttributeAccessIssue]
        self.pairs, self.zeta, self.alpha, self.norm = pairs, zeta, alpha, norm
        self.compensation, self.theta = compensation, theta
        self.warm_up_epochs = warm_up_epochs

    def head(self, features: int, classes: int) -> Head:
        """The other defense's.

        Raises:
            ValueError: If its prototypes are not trained, or no Sigma of Eq. 8 exists.
        """
        head = self.defense.head(features, classes)
        if not head.prototypes().requires_grad:
            raise ValueError(
                f"prototypes of {type(self.defense).__name__} are fixed: leave InterClass out"
            )
        self.separation = Separation(
            classes,
            self.pairs,
            self.zeta,
            compensation=self.compensation,
            theta=self.theta,
            warm_up_epochs=self.warm_up_epochs,
        )
        return head

    def perturb(self, network: Network, batch: Batch) -> Images:
        """As the other defense does, by the attack that is set here."""
        self.defense.attack = self.attack
        return self.defense.perturb(network, batch)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The other defense's terms, and that of Eq. 7."""
        cosines = network.head.cosines()
        sigma = self.separation(cosines, batch.epoch)
        if self.separation.counting(batch.epoch):
            with torch.no_grad(), evaluating(network):
                predicted = network(batch.adversarial).argmax(dim=1)
            self.separation.count(batch.labels, predicted, batch.epoch)
        terms = self.defense.loss(network, batch)
        inter = size((cosines - sigma).flatten(), self.norm)  # Eq. 7
        return {f"defense.{name}": term for name, term in terms.items()} | {
            "inter": self.alpha * inter
        }

    def log(self) -> dict[str, Any]:
        """What the other defense adds, and the pairs found so far."""
        return self.defense.log() | self.separation.log()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"
