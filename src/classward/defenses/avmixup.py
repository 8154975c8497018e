"""Adversarial vertex mixup: training between the clean image and far beyond the attacked one.

Paper: Lee, Lee and Yoon, "Adversarial Vertex Mixup: Toward Better Adversarially Robust
Generalization", CVPR 2020, Eqs. 8-10.
Reading: the share of the clean image is drawn for each sample, uniformly (Beta(1, 1)). The
vertex is clipped to [0, 1], so it may be nearer than `gamma` times the perturbation.
What to distrust: accuracy under attacks on the cross-entropy; labels of the vertices are nearly
uniform, and the margin falls further than the cross-entropy says.
"""

from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from classward.core.losses import LossName
from classward.core.options import Positive, Real, checked
from classward.core.types import Attack, Labels
from classward.defenses.base import Batch, Defense
from classward.models.network import Network

Share = Annotated[Real, Field(ge=0, le=1)]


class Avmixup(Defense):
    """Mean cross-entropy of mixed images and equally mixed, smoothed labels.

    Args:
        attack: Makes the perturbation; `None` leaves the choice to whoever trains.
        gamma: Length of the vertex, in perturbations.
        clean: Probability of the label of a clean image; the others share the rest.
        vertex: The same of a vertex. The defaults are the paper's for CIFAR-10.
    """

    adaptive_losses: ClassVar[tuple[LossName, ...]] = ("cross_entropy", "margin", "dlr")

    @checked
    def __init__(
        self,
        *,
        attack: Attack | None = None,
        gamma: Positive = 2.0,
        clean: Share = 1.0,
        vertex: Share = 0.1,
    ) -> None:
        super().__init__(attack)
        self.gamma, self.clean, self.vertex = gamma, clean, vertex

    def loss(self, network: Network, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy, in nats."""
        change = batch.adversarial - batch.images
        vertices = (batch.images + self.gamma * change).clamp(0, 1)  # Eq. 8
        share = batch.rng.uniform([1]).to(change)
        images = vertices.lerp(batch.images, share[:, :, None, None])  # Eq. 10
        logits = network(images)
        targets = self.targets(batch.labels, share, logits.shape[1]).to(logits)
        return {"cross_entropy": F.cross_entropy(logits, targets)}

    def targets(
        self, labels: Labels, share: Float[Tensor, "n 1"], classes: int
    ) -> Float[Tensor, "n k"]:
        """Mixed smoothed labels, of `share` clean image each."""
        own = self.vertex + share * (self.clean - self.vertex)
        others = ((1 - own) / (classes - 1)).expand(-1, classes)
        return others.scatter(1, labels[:, None], own)
