"""Fast gradient sign method (FGSM): one step to the edge of the ball.

Paper: Goodfellow et al., "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572,
Sec. 4.
Reading: in an l2 ball the step is the gradient itself, scaled to the radius (known as FGM).
Not to be confused with: R-FGSM, which steps away at random first.
"""

from typing import ClassVar

from classward.attacks.ascent import ascend, goal, steepest_steps
from classward.core.balls import Ball, Linf
from classward.core.losses import cross_entropy
from classward.core.options import options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until


@options
class FGSM:
    """One steepest step as long as the radius; costs one forward and one backward pass.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)

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
        """Return one image on the edge of the ball around each input, in [0, 1]."""
        climbed = goal(loss or cross_entropy, labels, targets)
        move = steepest_steps(self.ball, self.ball.eps, images)
        return ascend(model, images, climbed, move, steps=1, until=until)
