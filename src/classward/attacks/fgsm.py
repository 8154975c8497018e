"""Fast gradient sign method (FGSM): one step to the edge of the ball.

Paper: Goodfellow et al., "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572,
Sec. 4.
Reading: in an l2 ball the step is the gradient itself, scaled to the radius (known as FGM).
Not to be confused with: R-FGSM, which steps away at random first.
"""

from typing import ClassVar

import torch

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
        climbed, sign = loss or cross_entropy, 1 if targets is None else -1
        classes = labels if targets is None else targets
        if len(images) == 0:
            return images.clone()
        start = images.detach().requires_grad_()
        logits = model(start)
        (gradient,) = torch.autograd.grad(sign * climbed(logits, classes).sum(), start)
        step = self.ball.eps * self.ball.steepest(gradient)
        adversarial = self.ball.project(images + step, images)
        done = (logits.argmax(dim=1) == classes) == (targets is not None)  # without a step
        if until is not None and done.any():
            done[done.clone()] = until(images[done], done.nonzero().squeeze(1))
            adversarial[done] = images[done]
        return adversarial
