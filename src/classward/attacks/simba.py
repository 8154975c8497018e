"""SimBA: step along one direction of an orthonormal basis after another, if it helps.

Paper: Guo et al., "Simple Black-box Adversarial Attacks", ICML 2019, arXiv:1905.07121, Alg. 1.
Reading: the paper has no ball, its distance grows by at most `step_size` times the root of the
steps; here each candidate is projected, as tables of bounded attacks need. Each sample has its
own order of directions, and once all are used goes through them again in another.
"""

from math import ceil
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from classward.core.balls import L2, Ball
from classward.core.losses import cross_entropy
from classward.core.options import Count, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.survivors import Survivors
from classward.core.types import Access, Classifier, Images, Labels, Oracle, SampleLoss, Until


@options
class SimBA:
    """Try a step down, then up, along each direction; keep the first that raises the loss.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        queries: Most queries for each sample; the first is its clean image.
        step_size: l2 length of a step, in pixel units.
        space: The basis: "pixel", or "dct", the waves of the discrete cosine transform.
        frequencies: Share of the lowest frequencies that are used, of "dct", on each axis.

    Raises:
        ValueError: If an option is unfit, or `frequencies` is given with "pixel".
    """

    access: ClassVar[Access] = "scores"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = L2(0.5)
    queries: Count = 2000
    step_size: Positive = 0.2
    space: Literal["pixel", "dct"] = "pixel"
    frequencies: Annotated[Positive, Field(le=1)] = 1.0

    def __post_init__(self) -> None:
        if self.space == "pixel" and self.frequencies < 1:
            raise ValueError("pixels have no frequencies: set space='dct' or leave them out")

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
        """Return the first success of each input, else the last that was kept."""
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
        adversarial, value = images.clone(), standing.value(images)
        bases = [self._basis(size).to(images) for size in images.shape[2:]]
        order, turn = self._order(images.shape[1], bases, rng), torch.zeros_like(labels)
        side = images.new_full((len(images),), -1.0)
        for _ in range(self.queries - 1):
            adversarial, value, order, turn, side = standing.leave(
                adversarial, value, order, turn, side
            )
            if len(standing) == 0:
                break
            chosen = order.gather(1, turn[:, None]).squeeze(1)
            candidate = _moved(adversarial, chosen, self.step_size * side, bases)
            candidate = self.ball.project(candidate, standing.clean)
            now = standing.value(candidate)
            better = now > value
            adversarial[better], value = candidate[better], torch.where(better, now, value)
            tried = better | (side > 0)  # this direction is done
            turn, side = turn + tried, torch.where(tried, -1.0, 1.0)
        (adversarial,) = standing.leave(adversarial)
        return standing.finish(adversarial)

    def _basis(self, size: int) -> Float[Tensor, "directions {size}"]:
        """Orthonormal rows along one axis of the image."""
        if self.space == "pixel":
            return torch.eye(size)
        return cosines(size)[: ceil(self.frequencies * size)]

    def _order(
        self, channels: int, bases: list[Tensor], rng: SampleRandom
    ) -> Int64[Tensor, "n queries"]:
        """Directions of each sample in its own order, as many as there are queries."""
        count = channels * len(bases[0]) * len(bases[1])
        passes = [rng.permutation(count) for _ in range(ceil(self.queries / count))]
        return torch.cat(passes, dim=1)[:, : self.queries].to(bases[0].device)


def cosines(size: int) -> Float[Tensor, "{size} {size}"]:
    """Rows of the orthonormal discrete cosine transform (DCT-II), lowest frequency first."""
    place = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(torch.pi / size * place[:, None] * (place + 0.5)) * (2 / size) ** 0.5
    waves[0] /= 2**0.5
    return waves.float()


def _moved(
    images: Images,
    chosen: Int64[Tensor, " m"],
    length: Float[Tensor, " m"],
    bases: list[Tensor],
) -> Images:
    """Each image so far along its chosen direction, which has l2 length 1 and one channel."""
    rows, columns = bases
    channel, rest = chosen // (len(rows) * len(columns)), chosen % (len(rows) * len(columns))
    row, column = rows[rest // len(columns)], columns[rest % len(columns)]
    moved, each = images.clone(), torch.arange(len(chosen), device=images.device)
    moved[each, channel] += length[:, None, None] * (row[:, :, None] * column[:, None, :])
    return moved
