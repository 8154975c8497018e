"""What black-box attacks share: the samples of a batch that still stand, and how to ask.

An attack without gradients asks an oracle, which counts. Asking, seeing a success and letting
rest what has fallen is the same in all of them, and it is done here, in one place.
"""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from classward.core.balls import Ball
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.core.types import Classifier, Images, Labels, Oracle, SampleLoss, Until

AT_ONCE = 256  # images in one question; more fill memory and gain nothing
ROUNDING = 1e-6  # by which a projected image may miss its ball; seen: 2e-8 (l-inf), 2e-7 (l2)


def inside(ball: Ball, images: Images, clean: Images) -> Bool[Tensor, " n"]:
    """Whether each image lies in the ball around its clean one, but for rounding."""
    return ball.distance(images, clean) <= ball.eps + ROUNDING


def parts(total: int, samples: int, each: int = 1) -> list[int]:
    """Sizes in which to ask `total` questions of `each` images about every one of `samples`.

    >>> parts(5, samples=100)
    [2, 2, 1]
    """
    size = max(1, AT_ONCE // (each * max(1, samples)))
    return [min(size, total - start) for start in range(0, total, size)]


class Survivors:
    """The samples that have not fallen yet; asks about them and keeps the images of the rest.

    Args:
        oracle: What answers with logits.
        images: Clean images of the batch.
        labels: The class to leave.
        ball: Where an image must lie to count.
        loss: What the attack climbs.
        targets: The class to reach instead.
        until: Confirms a success; without it the oracle's word is enough.
        rng: One random stream for each image.

    Attributes:
        where: Positions in the batch of those that stand.
        clean: Their clean images.
        rng: Their random streams.

    Raises:
        InputError: If a model is given in place of an oracle.
    """

    def __init__(
        self,
        oracle: Classifier | Oracle,
        images: Images,
        labels: Labels,
        *,
        ball: Ball,
        loss: SampleLoss,
        targets: Labels | None,
        until: Until | None,
        rng: SampleRandom,
    ) -> None:
        if not isinstance(oracle, Oracle):
            raise InputError("a black-box attack asks an oracle, no model: use run_attack")
        self.oracle, self.ball, self.loss, self.until = oracle, ball, loss, until
        self.targeted = targets is not None
        self.classes = labels if targets is None else targets
        self.clean, self.rng, self._result = images, rng, images.clone()
        self.where = torch.arange(len(images), device=images.device)
        self._fell = torch.zeros_like(self.where, dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.where)

    def ask(self, candidates: Float[Tensor, "m p c h w"]) -> Float[Tensor, "m p k"]:
        """Logits of `p` candidates of each; the first success among them brings it down."""
        count = candidates.shape[1]
        logits = self.oracle(candidates.flatten(0, 1), self.where.repeat_interleave(count))
        logits = logits.unflatten(0, (-1, count))
        won = (logits.argmax(dim=2) == self.classes[:, None]) == self.targeted
        won &= ~self._fell[:, None]
        if won.any():
            rows = won.nonzero()[:, 0]
            won[won.clone()] = inside(self.ball, candidates[won], self.clean[rows])
            self._bring_down(candidates, won)
        return logits

    def values(self, logits: Float[Tensor, "m p k"]) -> Float64[Tensor, "m p"]:
        """What is climbed: the loss, or with targets its opposite.

        In float64: attacks compare nearly equal values, and the cross-entropy of a confident
        model is 0 in float32 long before its logits stop telling images apart.
        """
        classes = self.classes.repeat_interleave(logits.shape[1])
        values = self.loss(logits.double().flatten(0, 1), classes).view(logits.shape[:2])
        return -values if self.targeted else values

    def value(self, images: Float[Tensor, "m c h w"]) -> Float64[Tensor, " m"]:
        """Ask about one image of each: what is climbed there."""
        return self.values(self.ask(images[:, None])).squeeze(1)

    def leave(self, *rows: Tensor) -> list[Tensor]:
        """Let those that have fallen go, here and in `rows`, which are returned."""
        if not self._fell.any():
            return list(rows)
        going = ~self._fell
        self.where, self.clean = self.where[going], self.clean[going]
        self.classes, self.rng = self.classes[going], self.rng.keep(going)
        self._fell = self._fell[going]
        return [row[going] for row in rows]

    def finish(self, images: Float[Tensor, "m c h w"]) -> Images:
        """The image with which each fell, and of those that stand `images`."""
        self._result[self.where] = images
        return self._result

    def _bring_down(
        self, candidates: Float[Tensor, "m p c h w"], won: Bool[Tensor, "m p"]
    ) -> None:
        rows = won.any(dim=1).nonzero().flatten()
        if len(rows) == 0:
            return
        images = candidates[rows, won[rows].int().argmax(dim=1)]  # the first of each
        if self.until is not None:
            done = self.until(images, self.where[rows])
            rows, images = rows[done], images[done]
        self._result[self.where[rows]] = images
        self._fell[rows] = True
