"""R-FGSM: one step at random, then one along the gradient that is found there.

Paper: Tramèr et al., "Ensemble Adversarial Training: Attacks and Defenses", ICLR 2018,
arXiv:1705.07204 (there R+FGSM).
Reading: in an l2 ball the random step is a Gaussian direction and the other the gradient, each
scaled to its length.
Not to be confused with: attacks of this name that take many steps, which are PGD from another
start; fast adversarial training's FGSM, from a uniform point and with a step beyond the radius.
"""

from typing import ClassVar

from classward.attacks.ascent import ascend, goal, steepest_steps
from classward.core.balls import Ball, Linf
from classward.core.losses import cross_entropy
from classward.core.options import NonNegative, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until


@options
class RFGSM:
    """Leave the clean image at random, then climb; costs one forward and one backward pass.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        random_step: Length of the random step in the ball's norm, in pixel units, at most the
            radius (alpha of the paper); the other step has the rest. `None` is eps / 2.

    Raises:
        ValueError: If an option is unfit, or the random step longer than the radius.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    random_step: NonNegative | None = None

    def __post_init__(self) -> None:
        if self._random_step > self.ball.eps:
            raise ValueError(
                f"random_step {self.random_step} is longer than eps {self.ball.eps:.6g}: "
                "set random_step=eps/2"
            )

    @property
    def _random_step(self) -> float:
        return self.ball.eps / 2 if self.random_step is None else self.random_step

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
        aside = self.ball.steepest(rng.normal(images.shape[1:]).to(images))
        start = self.ball.project(images + self._random_step * aside, images)
        climbed = goal(loss or cross_entropy, labels, targets)
        move = steepest_steps(self.ball, self.ball.eps - self._random_step, images)
        return ascend(model, start, climbed, move, steps=1, until=until)
