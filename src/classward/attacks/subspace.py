"""Subspace attack: probes along gradients of surrogates, in place of random ones.

Paper: Guo, Yan and Zhang, "Subspace Attack: Exploiting Promising Subspaces for Query-Efficient
Black-box Attacks", NeurIPS 2019, Alg. 1.
Reading: the surrogates take turns instead of being drawn, so that a sample does not depend on
its batch. Dropout follows every convolution of the surrogate, as in the authors' program, where
its share grows from 0 after ten steps. The query that looks at a new iterate is counted.
"""

from collections.abc import Sequence
from math import exp
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from classward.core.balls import L2, TINY, Ball, Linf, check_reach
from classward.core.dropping import dropping
from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.options import Count, NonNegative, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.survivors import Survivors
from classward.core.types import Access, Classifier, Images, Labels, Oracle, SampleLoss, Until

EACH = 3  # queries of one step: two probes and the new iterate
WARM_UP, GROWTH = 10, 0.01  # steps without dropout, and its rate of growth after them
UNIT = L2(1.0)


@options
class Subspace:
    """Learn the gradient from its part along surrogates' gradients, one probe pair a step.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        queries: Most queries for each sample; the first is its clean image.
        step_size: Length of one step in the ball's norm, in pixel units; `None` is an eighth
            of the radius.
        probe_size: l2 length of a probe, in pixel units.
        exploration: Share of the surrogate's direction in a probe.
        dropout: Share to which the surrogates' dropout grows.

    Raises:
        ValueError: If an option is unfit, or all steps together are shorter than the radius.
    """

    access: ClassVar[Access] = "scores"
    needs: ClassVar[frozenset[str]] = frozenset({"surrogates"})

    ball: Ball = Linf(8 / 255)
    queries: Count = 2000
    step_size: Positive | None = None
    probe_size: Positive = 0.1
    exploration: Positive = 0.1
    dropout: Annotated[NonNegative, Field(lt=1)] = 0.5

    def __post_init__(self) -> None:
        check_reach(self.ball, self._step_size, self._steps)

    @property
    def _step_size(self) -> float:
        return self.ball.eps / 8 if self.step_size is None else self.step_size

    @property
    def _steps(self) -> int:
        return (self.queries - 1) // EACH

    def __call__(
        self,
        model: Classifier | Oracle,
        images: Images,
        labels: Labels,
        *,
        rng: SampleRandom,
        targets: Labels | None = None,
        loss: SampleLoss | None = None,
        until: Until | None = None,
        surrogates: Sequence[Classifier] = (),
    ) -> Images:
        """Return the first success of each input, else the last iterate.

        Raises:
            InputError: If there is no surrogate, or one is in train mode.
        """
        _check(surrogates)
        if len(images) == 0:
            return images.clone()
        standing = Survivors(
            model,
            images,
            labels,
            ball=self.ball,
            loss=loss or margin,
            targets=targets,
            until=until,
            rng=rng,
        )
        adversarial, prior = images, torch.zeros_like(images)
        logits = standing.ask(images[:, None])
        for step in range(self._steps):
            adversarial, prior, logits = standing.leave(adversarial, prior, logits)
            if len(standing) == 0:
                break
            leader = surrogates[step % len(surrogates)]
            direction = self._direction(standing, leader, adversarial, logits, step)
            prior = prior + self._slope(standing, adversarial, prior, direction)
            adversarial, prior = standing.leave(adversarial, prior)
            if len(standing) == 0:
                break
            adversarial = adversarial + self._step_size * self.ball.steepest(prior)
            adversarial = self.ball.project(adversarial, standing.clean)
            logits = standing.ask(adversarial[:, None])
        (adversarial,) = standing.leave(adversarial)
        return standing.finish(adversarial)

    def _direction(
        self,
        standing: Survivors,
        surrogate: Classifier,
        images: Images,
        logits: Float[Tensor, "m 1 k"],
        step: int,
    ) -> Images:
        """Gradient of the surrogate for the model's own loss, of l2 length 1."""
        logits, images = logits.detach().requires_grad_(), images.detach().requires_grad_()
        (wanted,) = torch.autograd.grad(standing.values(logits).sum(), logits)
        share = self.dropout * (1 - exp(-max(0, step - WARM_UP) * GROWTH))
        with dropping(surrogate, share, standing.rng):
            answer = surrogate(images)
        if answer.shape != wanted.squeeze(1).shape:
            known = f"{answer.shape[-1]} logits, the model {wanted.shape[-1]}"
            raise InputError(f"a surrogate gives {known}: they must know the same classes")
        (gradient,) = torch.autograd.grad(answer, images, wanted.squeeze(1))
        return UNIT.steepest(gradient)

    def _slope(
        self, standing: Survivors, images: Images, prior: Images, direction: Images
    ) -> Images:
        """Rise of the loss along the direction by finite difference, of l1 length 1."""
        sides = [prior + side * self.exploration * direction for side in (1, -1)]
        probes = [images + self.probe_size * UNIT.steepest(side) for side in sides]
        values = standing.values(standing.ask(torch.stack(probes, dim=1).clamp(0, 1)))
        side = (values[:, 0] - values[:, 1]).sign().to(direction.dtype)
        length = direction.abs().sum(dim=(1, 2, 3)).clamp(min=TINY)
        return (side / length).view(-1, 1, 1, 1) * direction


def _check(surrogates: Sequence[Classifier]) -> None:
    if len(surrogates) == 0:
        raise InputError("Subspace needs at least one surrogate network, got none")
    if any(getattr(surrogate, "training", False) for surrogate in surrogates):
        raise InputError("a surrogate of Subspace is in train mode: call .eval() on it")
