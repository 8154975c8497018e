"""Basic iterative method (BIM, I-FGSM): PGD from the clean image, with its own settings.

Paper: Kurakin et al., "Adversarial Examples in the Physical World", ICLR 2017 workshop,
arXiv:1607.02533, Sec. 2.2.
Reading: the paper counts in units of one pixel value, 1/255, which is also its step; taken here
is the step as the unit, so that another step takes as many more or fewer of them.
Not to be confused with: PGD, which starts at random.
"""

from math import ceil
from typing import ClassVar

from classward.attacks.ascent import ascend, goal, steepest_steps
from classward.core.balls import Ball, Linf, check_reach
from classward.core.losses import cross_entropy
from classward.core.options import Count, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until


@options
class BIM:
    """Climb the loss from the clean image by small steepest steps inside the ball.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        step_size: Length of one step in the ball's norm, in pixel units.
        steps: Number of steps; each costs one forward and one backward pass. `None` is the
            paper's: n + 4 or 1.25 n, the fewer, where n steps are as long as the radius.

    Raises:
        ValueError: If an option is unfit, or all steps together are shorter than the radius.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    step_size: Positive = 1 / 255
    steps: Count | None = None

    def __post_init__(self) -> None:
        check_reach(self.ball, self.step_size, self._steps)

    @property
    def _steps(self) -> int:
        if self.steps is not None:
            return self.steps
        across = self.ball.eps / self.step_size
        return max(1, ceil(min(across + 4, 1.25 * across)))

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
        climbed = goal(loss or cross_entropy, labels, targets)
        move = steepest_steps(self.ball, self.step_size, images)
        return ascend(model, images, climbed, move, steps=self._steps, until=until)
