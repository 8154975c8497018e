"""Momentum iterative method (MIM, MI-FGSM) in an l-infinity or l2 ball.

Paper: Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018, arXiv:1710.06081,
Eq. 6-7. The same update is Eq. 2 of Li et al., arXiv:1906.10973, whose settings these are.
Not to be confused with: PGD, which forgets earlier gradients and starts at random.
"""

from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.attacks.ascent import ascend, goal, steepest_steps
from classward.core.balls import Ball, Linf, check_reach
from classward.core.losses import cross_entropy
from classward.core.options import Count, NonNegative, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until


@options
class MIM:
    """Climb the loss along the running sum of its gradients, each scaled to l1 length 1.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        steps: Number of steps; each costs one forward and one backward pass.
        step_size: Length of one step in the ball's norm, in pixel units; `None` is eps / steps.
        decay: Share of the running sum kept at each step (mu of the paper).

    Raises:
        ValueError: If an option is unfit, or all steps together are shorter than the radius.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(16 / 255)
    steps: Count = 10
    step_size: Positive | None = None
    decay: NonNegative = 1.0

    def __post_init__(self) -> None:
        check_reach(self.ball, self._step_size, self.steps)

    @property
    def _step_size(self) -> float:
        return self.ball.eps / self.steps if self.step_size is None else self.step_size

    def __call__(
        self,
        model: Classifier,
        images: Images,
        labels: Labels,
        *,
        rng: SampleRandom,
        targets: Labels | None = None,
        loss: SampleLoss | None = None,
        until: Until | None = None,
    ) -> Images:
        """Return one image of the ball around each input, in [0, 1], of raised `loss`."""
        momentum = torch.zeros_like(images)
        straight = steepest_steps(self.ball, self._step_size, images)

        def move(adversarial: Images, gradient: Images, where: Int64[Tensor, " n"]) -> Images:
            momentum[where] = self.decay * momentum[where] + _unit(gradient)  # Eq. 6
            return straight(adversarial, momentum[where], where)  # Eq. 7

        climbed = goal(loss or cross_entropy, labels, targets)
        return ascend(model, images, climbed, move, steps=self.steps, until=until)


def _unit(gradient: Images) -> Images:
    """Scale each sample to l1 length 1; a gradient of zeros stays one."""
    length = gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
    return gradient / length.clamp(min=torch.finfo(gradient.dtype).tiny)
