"""Square attack: random search by square windows, from scores alone.

Paper: Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack
via random search", ECCV 2020, arXiv:1912.00049, Alg. 1, 2 (l-inf) and 3 (l2).
Reading: every sample has windows of its own, where the authors' program moves one for the whole
batch, and they may touch every border. The clean image is not asked about.
Not to be confused with: SimBA, which tries one direction of a basis after the other.
"""

from collections.abc import Callable
from functools import cache
from math import sqrt
from typing import Annotated, ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from classward.core.balls import TINY, Ball, Linf
from classward.core.losses import margin
from classward.core.options import Count, Real, options
from classward.core.randomness import SampleRandom
from classward.core.survivors import Survivors
from classward.core.types import Access, Classifier, Images, Labels, Oracle, SampleLoss, Until

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # windows after which areas halve
WRITTEN_FOR = 10_000  # queries: the budget of that schedule
BLOCK = 100  # windows whose random numbers are drawn at once

Draw = Callable[[Ball, Images, list[int], Tensor], list[Tensor]]  # clean, sizes, numbers
Move = Callable[..., Images]  # ball, best, size and number of the window, and what was drawn


@options
class Square:
    """Change a random square window; keep what brings the sample nearer to an error.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        queries: Most queries for each sample: the first guess, then one for each window.
        area: Share of the image that the first windows cover; it halves up to nine times.
        rescale: Stretch the schedule of areas, written for 10,000 queries, to `queries`;
            AutoAttack does not.
    """

    access: ClassVar[Access] = "scores"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    queries: Count = 5000
    area: Annotated[Real, Field(gt=0, le=1)] = 0.8
    rescale: bool = False

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
        """Return the first success of each input, else the best image that was found."""
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
        guess, draw, move = _METHODS[self.ball.norm]
        best = self.ball.project(images + self.ball.eps * guess(images, rng), images)
        height, sizes, drawn = standing.value(best), [], []
        for window in range(self.queries - 1):
            best, height, *drawn = standing.leave(best, height, *drawn)
            if len(standing) == 0:
                break
            if (turn := window % BLOCK) == 0:
                sizes = [self._size(window + i, *images.shape[2:]) for i in range(BLOCK)]
                # Of two windows, the turn of a pattern, and the sign of each channel.
                numbers = standing.rng.uniform([BLOCK, 5 + images.shape[1]]).to(images)
                drawn = draw(self.ball, standing.clean, sizes, numbers)
            candidate = move(self.ball, best, sizes[turn], turn, *drawn)
            now = standing.value(candidate)
            higher = now > height
            best[higher], height = candidate[higher], torch.maximum(height, now)
        (best,) = standing.leave(best)
        return standing.finish(best)

    def _size(self, window: int, height: int, width: int) -> int:
        """Side of a window, in pixels; l2 windows have a centre, so theirs is odd."""
        at = int(window / self.queries * WRITTEN_FOR) if self.rescale else window
        area = self.area / 2 ** sum(at > bound for bound in HALVINGS)
        side = max(round(sqrt(area * height * width)), 1)
        if self.ball.norm == "l2":
            side = max(side, 3)
            side += side % 2 == 0
        return min(side, height, width)


def _stripes(images: Images, rng: SampleRandom) -> Images:
    """Vertical stripes of one pixel, each channel of each at the edge of the box."""
    columns = rng.uniform([images.shape[1], 1, images.shape[3]])
    return _signs(columns).to(images).expand_as(images)


def _linf_draw(
    ball: Ball, clean: Images, sizes: list[int], numbers: Float[Tensor, "n windows numbers"]
) -> list[Tensor]:
    """Least and largest pixels of the ball; of each window its signed rows, and columns."""
    edges = [ball.project(torch.full_like(clean, side), clean) for side in (0.0, 1.0)]
    sides = torch.tensor(sizes, device=clean.device)
    rows, columns = (
        _span(length, sides, numbers[:, :, axis]) for axis, length in enumerate(clean.shape[2:])
    )
    change = 2 * ball.eps * _signs(numbers[:, :, 5:])  # Alg. 2
    return [*edges, change[..., None] * rows[:, :, None], columns.to(clean)]


def _linf_move(
    ball: Ball,
    best: Images,
    size: int,
    turn: int,
    lowest: Images,
    highest: Images,
    rows: Float[Tensor, "n windows c h"],
    columns: Float[Tensor, "n windows w"],
) -> Images:
    """The window at the edge of the ball, each channel at a random one of the two."""
    moved = torch.addcmul(best, rows[:, turn, :, :, None], columns[:, turn, None, None])
    return moved.clamp(lowest, highest)


def _tiles(images: Images, rng: SampleRandom) -> Images:
    """Tiles, about five a side, each a pattern of random sign and direction; of l2 length 1."""
    _, channels, height, width = images.shape
    size = max(min(height, width) // 5, 1)
    rows, columns = height // size, width // size
    numbers = rng.uniform([channels + 1, rows, columns]).to(images)[..., None, None]
    tiles = _signs(numbers[:, 1:]) * _turned(numbers[:, :1], _pattern(size).to(images))
    change = tiles.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    top, left = (height - rows * size) // 2, (width - columns * size) // 2
    right, bottom = width - left - columns * size, height - top - rows * size
    change = F.pad(change, (left, right, top, bottom))
    return change / change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def _l2_draw(
    ball: Ball, clean: Images, sizes: list[int], numbers: Float[Tensor, "n windows numbers"]
) -> list[Tensor]:
    """The clean images and the numbers; of l2 windows little can be made beforehand."""
    return [clean, numbers]


def _l2_move(
    ball: Ball,
    best: Images,
    size: int,
    turn: int,
    clean: Images,
    numbers: Float[Tensor, "n windows numbers"],
) -> Images:
    """What two windows and the radius have to spare goes into a pattern in the first."""
    numbers = numbers[:, turn]
    change = best - clean
    one, down, right = _window(best, size, numbers[:, :2])
    two, _, _ = _window(best, size, numbers[:, 2:4])
    spare = ball.eps**2 - change.square().sum(dim=(1, 2, 3), keepdim=True)
    length = (
        _channel_norm(change * (one | two)) ** 2 + spare.clamp(min=0) / change.shape[1]
    ).sqrt()
    pattern = _pattern(size).to(best)
    straight, turned = pattern[down, right], pattern[right, down]
    placed = torch.where(numbers[:, 4, None, None, None] < 0.5, straight, turned) * one
    old = change * one
    fresh = _signs(numbers[:, 5:])[:, :, None, None] * placed + old / (
        _channel_norm(old) + TINY
    )
    fresh = length * fresh / (_channel_norm(fresh) + TINY)
    change = torch.where(one, fresh, change.masked_fill(two, 0))  # Alg. 3
    return ball.project(clean + ball.eps * ball.steepest(change), clean)


def _span(
    length: int, sizes: Int64[Tensor, " windows"], numbers: Float[Tensor, "n windows"]
) -> Bool[Tensor, "n windows {length}"]:
    """Where on an axis of this length each window is."""
    free = length - sizes + 1
    start = (numbers * free).long().minimum(free - 1)[..., None]
    at = torch.arange(length, device=numbers.device)
    return (at >= start) & (at < start + sizes[:, None])


def _window(
    images: Images, size: int, numbers: Float[Tensor, "n 2"]
) -> tuple[Bool[Tensor, "n 1 h w"], Int64[Tensor, "n 1 h 1"], Int64[Tensor, "n 1 1 w"]]:
    """A random window of each sample: whether a pixel is inside, and its place there."""
    height, width = images.shape[2:]
    free = torch.tensor([height - size + 1, width - size + 1], device=images.device)
    top, left = (numbers * free).long().minimum(free - 1).unbind(dim=1)
    down = torch.arange(height, device=images.device) - top[:, None]
    right = torch.arange(width, device=images.device) - left[:, None]
    rows, columns = ((at >= 0) & (at < size) for at in (down, right))
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    down, right = (at.clamp(0, size - 1) for at in (down, right))
    return inside, down[:, None, :, None], right[:, None, None, :]


@cache
def _pattern(size: int) -> Float[Tensor, "{size} {size}"]:
    """A hill beside a valley, of l2 length 1: eta of the paper."""
    halves = [_hill(size // 2, size), -_hill(size - size // 2, size)]
    pattern = torch.cat([half / (half.norm() + TINY) for half in halves])
    return pattern / pattern.norm()


def _hill(height: int, width: int) -> Float[Tensor, "{height} {width}"]:
    """Sums of nested rectangles around the centre, the narrower the higher."""
    rings = max(height, width) // 2 + 1
    down = (torch.arange(height) - height // 2).abs()
    right = (torch.arange(width) - width // 2).abs()
    heights = (1 / torch.arange(1, rings + 1) ** 2).flip(0).cumsum(0).flip(0)
    return heights[torch.maximum(down[:, None], right[None, :])]


def _signs(numbers: Tensor) -> Tensor:
    return torch.where(numbers < 0.5, -1.0, 1.0)


def _turned(numbers: Tensor, pattern: Tensor) -> Tensor:
    return torch.where(numbers < 0.5, pattern, pattern.T)


def _channel_norm(images: Images) -> Float[Tensor, "n c 1 1"]:
    return images.square().sum(dim=(2, 3), keepdim=True).sqrt()


_METHODS: dict[str, tuple[Callable[[Images, SampleRandom], Images], Draw, Move]] = {
    "linf": (_stripes, _linf_draw, _linf_move),
    "l2": (_tiles, _l2_draw, _l2_move),
}
