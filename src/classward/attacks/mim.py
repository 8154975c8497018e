"""Momentum iterative method (MIM, MI-FGSM) in an l-infinity or l2 ball.

Paper: Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018, arXiv:1710.06081,
Eq. 6-7. The same update is Eq. 2 of Li et al., arXiv:1906.10973, whose settings these are.
Not to be confused with: PGD, which forgets earlier gradients and starts at random.
"""

from typing import ClassVar

import torch

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
        climbed, sign = loss or cross_entropy, 1 if targets is None else -1
        clean, classes = images, labels if targets is None else targets
        where = torch.arange(len(images), device=images.device)
        result, adversarial, momentum = images.clone(), images, torch.zeros_like(images)
        for _ in range(self.steps):
            if len(where) == 0:
                break
            adversarial = adversarial.detach().requires_grad_()
            logits = model(adversarial)
            (gradient,) = torch.autograd.grad(
                sign * climbed(logits, classes).sum(), adversarial
            )
            adversarial = adversarial.detach()
            momentum = self.decay * momentum + _unit(gradient)  # Eq. 6
            done = (logits.argmax(dim=1) == classes) == (targets is not None)  # candidates
            if until is not None and done.any():
                done[done.clone()] = until(adversarial[done], where[done])
                result[where[done]] = adversarial[done]
                kept = (adversarial, clean, classes, where, momentum)
                adversarial, clean, classes, where, momentum = (rows[~done] for rows in kept)
            step = self._step_size * self.ball.steepest(momentum)
            adversarial = self.ball.project(adversarial + step, clean)  # Eq. 7
        result[where] = adversarial
        return result


def _unit(gradient: Images) -> Images:
    """Scale each sample to l1 length 1; a gradient of zeros stays one."""
    length = gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
    return gradient / length.clamp(min=torch.finfo(gradient.dtype).tiny)
