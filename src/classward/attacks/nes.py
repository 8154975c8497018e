"""NES: the gradient estimated by pairs of random probes, then climbed by steepest steps.

Paper: Ilyas et al., "Black-box Adversarial Attacks with Limited Queries and Information",
ICML 2018, arXiv:1804.08598, Sec. 2.1 and Alg. 1.
Reading: a probe that would leave [0, 1] is clamped, for no oracle can be asked about it. The
step is halved where the loss fell over five steps, as in the authors' program.
Not to be confused with: NAttack, which learns a distribution of adversarial images.
"""

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from classward.core.balls import Ball, Linf, check_reach
from classward.core.losses import cross_entropy
from classward.core.options import Count, NonNegative, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.survivors import Survivors, parts
from classward.core.types import Access, Classifier, Images, Labels, Oracle, SampleLoss, Until

PLATEAU = 5  # steps over which the loss must not fall
LEAST = 1 / 200  # share of the first step to which it may be halved


@options
class NES:
    """Climb a gradient that is estimated from scores alone.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        queries: Most queries for each sample; the first is its clean image.
        population: Probes for one gradient, in pairs; each step costs one query more.
        spread: Standard deviation of a probe, in pixel units.
        step_size: Length of the first step in the ball's norm, in pixel units; `None` is a
            quarter of the radius.
        decay: Share of the running mean of gradients kept at each step.

    Raises:
        ValueError: If an option is unfit, or all steps together are shorter than the radius.
    """

    access: ClassVar[Access] = "scores"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    queries: Count = 2000
    population: Annotated[int, Field(ge=2, multiple_of=2)] = 50
    spread: Positive = 1e-3
    step_size: Positive | None = None
    decay: Annotated[NonNegative, Field(lt=1)] = 0.9

    def __post_init__(self) -> None:
        check_reach(self.ball, self._step_size, self._steps)

    @property
    def _step_size(self) -> float:
        return self.ball.eps / 4 if self.step_size is None else self.step_size

    @property
    def _steps(self) -> int:
        return (self.queries - 1) // (self.population + 1)

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
    ) -> Images:
        """Return the first success of each input, else the last iterate; stops there."""
        if len(images) == 0:
            return images.clone()
        standing = Survivors(
            model,
            images,
            labels,
            ball=self.ball,
            loss=loss or cross_entropy,
            targets=targets,
            until=until,
            rng=rng,
        )
        adversarial, mean = images, torch.zeros_like(images)
        size = images.new_full((len(images), 1, 1, 1), self._step_size)
        recent = images.new_full((len(images), PLATEAU), torch.nan, dtype=torch.float64)
        recent[:, -1] = standing.value(images)
        for _ in range(self._steps):
            adversarial, mean, size, recent = standing.leave(adversarial, mean, size, recent)
            if len(standing) == 0:
                break
            mean = self.decay * mean + (1 - self.decay) * self._gradient(standing, adversarial)
            adversarial, mean, size, recent = standing.leave(adversarial, mean, size, recent)
            if len(standing) == 0:
                break
            step = size * self.ball.steepest(mean)
            adversarial = self.ball.project(adversarial + step, standing.clean)
            recent = torch.cat([recent[:, 1:], standing.value(adversarial)[:, None]], dim=1)
            size, recent = self._slower(size, recent)
        (adversarial,) = standing.leave(adversarial)
        return standing.finish(adversarial)

    def _gradient(self, standing: Survivors, images: Images) -> Images:
        gradient = torch.zeros_like(images)
        for count in parts(self.population // 2, len(images), each=2):
            noise = [standing.rng.normal(images.shape[1:]).to(images) for _ in range(count)]
            moves = [self.spread * u for u in noise]
            probes = [probe for move in moves for probe in (images + move, images - move)]
            values = standing.values(standing.ask(torch.stack(probes, dim=1).clamp_(0, 1)))
            rises = (values[:, ::2] - values[:, 1::2]).to(images.dtype).unbind(dim=1)
            for u, rise in zip(noise, rises, strict=True):  # in turn, whatever the parts
                gradient.addcmul_(rise.view(-1, 1, 1, 1), u)
        return gradient / (self.spread * self.population)  # Alg. 1

    def _slower(
        self, size: Float[Tensor, "m 1 1 1"], recent: Float64[Tensor, "m plateau"]
    ) -> tuple[Float[Tensor, "m 1 1 1"], Float64[Tensor, "m plateau"]]:
        """Halve the steps of those whose loss fell, and forget what it was."""
        fell = recent[:, -1] < recent[:, 0]  # False while one of them is unknown
        halved = (size / 2).clamp(min=LEAST * self._step_size)
        fell = fell[:, None]
        return torch.where(fell[:, :, None, None], halved, size), recent.masked_fill(
            fell, torch.nan
        )
