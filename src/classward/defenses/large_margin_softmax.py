"""Large-margin softmax: the label must win although its angle is multiplied.

Paper: Liu et al., "Large-Margin Softmax Loss for Convolutional Neural Networks", ICML 2016,
Eqs. 4-6; its Sec. 5 for the mixture that starts without the margin.
Reading: the margin is in the outer loss alone; attack and prediction use plain logits w_k z,
without bias. The share of the plain logit falls with the optimiser's steps as in the authors'
settings for CIFAR-10, whose trainings have 20,000 of them: shorter ones need a larger `decay`.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from classward.core.losses import LossName
from classward.core.options import NonNegative, checked
from classward.core.types import Attack
from classward.defenses.base import Batch, Defense
from classward.models.heads import SMALLEST, PlainHead
from classward.models.network import Network


class LargeMarginSoftmax(Defense):
    """Mean cross-entropy on adversarial images, with the label's logit `|w| |z| psi(angle)`.

    Args:
        attack: Makes the training images; `None` leaves the choice to whoever trains.
        times: m, what the angle is multiplied by.
        start: Weight of the plain logit beside the other at the first step.
        decay: How fast that weight falls: `start * (1 + decay * steps) ** -45`.
        least: What it does not fall below.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin")

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        times: Literal[1, 2, 3, 4] = 2,
        start: NonNegative = 1000.0,
        decay: NonNegative = 2e-5,
        least: NonNegative = 0.0,
    ) -> None:
        super().__init__(attack)
        self.times, self.start, self.decay, self.least = times, start, decay, least

    def head(self, features: int, classes: int) -> PlainHead:
        """A linear layer without bias."""
        return PlainHead(features, classes)

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy, in nats; `network` has the head that `head` built."""
        features, own = network.features(batch.adversarial), batch.labels[:, None]
        prototypes = network.head.prototypes()
        logits = network.head(features)
        lengths = features.norm(dim=1) * prototypes[batch.labels].norm(dim=1)
        plain = logits.gather(1, own).squeeze(1)
        cosine = (plain / lengths.clamp(min=SMALLEST)).clamp(-1, 1)
        share = max(self.least, self.start * (1 + self.decay * batch.step) ** -45)
        mixed = (share * plain + lengths * psi(cosine, self.times)) / (1 + share)
        logits = logits.scatter(1, own, mixed[:, None].to(logits))
        return {"cross_entropy": F.cross_entropy(logits, batch.labels)}


def psi(cosine: Float[Tensor, " n"], times: int) -> Float[Tensor, " n"]:
    """Eq. 6: cosine of the multiplied angle, continued so that it falls over all angles.

    >>> psi(torch.tensor([1.0, 0.5, 0.0, -1.0]), 2).round(decimals=3).tolist()
    [1.0, -0.5, -1.0, -3.0]
    """
    before, multiple = torch.ones_like(cosine), cosine
    for _ in range(times - 1):
        before, multiple = multiple, 2 * cosine * multiple - before  # of Chebyshev
    with torch.no_grad():  # the derivative of an angle has a pole at 0
        turns = (cosine.clamp(-1 + 1e-7, 1 - 1e-7).acos() * times / torch.pi).floor()
    sign = 1 - 2 * (turns % 2)
    return sign * multiple - 2 * turns  # Eq. 6
