"""NAttack: learn a distribution whose images are adversarial, by a natural evolution strategy.

Paper: Li et al., "NATTACK: Learning the Distributions of Adversarial Examples for an Improved
Black-Box Attack on Deep Neural Networks", ICML 2019, arXiv:1905.00441, Alg. 1.
Reading: the mean starts near 0, not at a regression network's guess. The loss is the margin of
each sample; rewards are standardised, so its scale does not matter. Any image of a population
may be the success. 100 of them at once fit a budget of 2,000 queries; the paper takes 300.
Not to be confused with: NES, which estimates a gradient at one image.
"""

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float64
from pydantic import Field
from torch import Tensor

from classward.core.balls import Ball, Linf
from classward.core.losses import margin
from classward.core.options import Count, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.survivors import Survivors, parts
from classward.core.types import Access, Classifier, Images, Labels, Oracle, SampleLoss, Until

EDGE = 1 - 1e-6  # tanh of an unbounded variable never reaches 1
FIRST = 1e-3  # standard deviation of the first mean


@options
class NAttack:
    """Move the mean of a normal distribution to where its images are worst for the model.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        queries: Most queries for each sample; the first is its clean image, the last the mean.
        population: Images drawn at each step, each one query.
        spread: Standard deviation of what is drawn, in units of `space`.
        step_size: Learning rate of the mean, in units of `space`.
        space: Where the distribution lives: "tanh" (arctanh of pixels, the paper's), in which a
            pixel at 0 or 1 does not move, or "pixel".

    Raises:
        ValueError: If an option is unfit, or the queries are too few for one step.
    """

    access: ClassVar[Access] = "scores"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    queries: Count = 2000
    population: Annotated[int, Field(ge=2)] = 100
    spread: Positive = 0.1
    step_size: Positive = 0.02
    space: Literal["tanh", "pixel"] = "tanh"

    def __post_init__(self) -> None:
        if self._steps < 1:
            raise ValueError(
                f"{self.queries} queries are too few for a population of {self.population}: "
                f"give at least {self.population + 2}"
            )

    @property
    def _steps(self) -> int:
        return (self.queries - 2) // self.population

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
        """Return the first success of each input, else the image of the last mean."""
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
        mean, value = FIRST * rng.normal(images.shape[1:]).to(images), standing.value(images)
        for _ in range(self._steps):
            mean, value = standing.leave(mean, value)
            if len(standing) == 0:
                break
            mean = mean + self.step_size / self.spread * self._rise(standing, mean, value)
        (mean,) = standing.leave(mean)
        if len(standing):
            standing.ask(self._image(mean, standing.clean)[:, None])
            (mean,) = standing.leave(mean)
        return standing.finish(self._image(mean, standing.clean))

    def _rise(self, standing: Survivors, mean: Images, value: Float64[Tensor, " m"]) -> Images:
        """Mean of standardised reward times noise, added up as the population is asked."""
        plain, weighted, rewards = torch.zeros_like(mean), torch.zeros_like(mean), []
        origin = self._origin(standing.clean)
        for count in parts(self.population, len(mean)):
            noise = [standing.rng.normal(mean.shape[1:]).to(mean) for _ in range(count)]
            moves = [mean + self.spread * u for u in noise]
            drawn = [self._image(move, standing.clean, origin) for move in moves]
            values = standing.values(standing.ask(torch.stack(drawn, dim=1)))
            rewards.append((values - value[:, None]).to(mean.dtype))
            for u, reward in zip(noise, rewards[-1].unbind(dim=1), strict=True):
                plain += u
                weighted.addcmul_(reward.view(-1, 1, 1, 1), u)
        reward = torch.cat(rewards, dim=1)
        center, width = reward.mean(dim=1), reward.std(dim=1, correction=0)
        difference = weighted - center.view(-1, 1, 1, 1) * plain
        scale = self.population * width.clamp(min=torch.finfo(width.dtype).tiny)
        return difference / scale.view(-1, 1, 1, 1)

    def _origin(self, clean: Images) -> Images:
        """The clean images where the distribution lives."""
        return clean if self.space == "pixel" else ((2 * clean - 1) * EDGE).atanh()

    def _image(self, move: Images, clean: Images, origin: Images | None = None) -> Images:
        moved = (self._origin(clean) if origin is None else origin) + move
        if self.space == "tanh":
            moved = moved.mul_(2).sigmoid_()  # is (tanh + 1) / 2, in a sixth of the time
        return self.ball.project(moved, clean)
