"""Logit mimicry: reach logits that clean images of another class have.

Paper: Hosseini et al., "Are Odds Really Odd? Bypassing Statistical Detection of Adversarial
Examples", arXiv:1907.12138 (the attack on logits); Sabour et al., "Adversarial Manipulation of
Deep Representations", arXiv:1511.05122, Eq. 1 and 2 (the same on any layer).
Reading: the logits to reach are the nearest to the image's own among those of a bank of clean
ones; restart r takes the (r+1)-th nearest.
Not to be confused with: an attack on the margin, which leaves logits as no clean image has
them. Whatever sees only logits, a corrector or a detector, cannot tell these from clean ones.
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.attacks.ascent import ascend, goal
from classward.core.balls import Ball, Linf, check_reach
from classward.core.errors import InputError
from classward.core.losses import cross_entropy
from classward.core.options import Count, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, Logits, SampleLoss, Until


@options
class LogitMimicry:
    """Descend the squared distance to another class's clean logits, from the clean image.

    Costs one forward pass, then `steps` forward and backward passes. Its ingredient `bank`
    holds clean logits of the same classifier, a row each; the class of a row is its largest.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        step_size: Length of the first step in the ball's norm, in pixel units; the steps fall
            linearly, so that the last ones settle.
        steps: Number of steps.

    Raises:
        ValueError: If an option is unfit, or all steps together are shorter than the radius.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset({"bank"})

    ball: Ball = Linf(8 / 255)
    step_size: Positive = 2 / 255
    steps: Count = 50

    def __post_init__(self) -> None:
        check_reach(self.ball, self.step_size * (self.steps + 1) / 2 / self.steps, self.steps)

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
        bank: Float[Tensor, "m k"] | None = None,
    ) -> Images:
        """Return images of the ball whose logits are near to clean ones of another class.

        Raises:
            InputError: If `loss` is given, `bank` is not, or no row of it will do.
        """
        if loss is not None:
            raise InputError("LogitMimicry has a loss of its own: leave loss out")
        if bank is None:
            raise InputError("LogitMimicry needs a bank of clean logits: give bank")
        if len(images) == 0:
            return images.clone()
        with torch.no_grad():
            clean = model(images)
        wanted = _wanted(clean, bank.to(clean), labels, targets, rng.restart)
        _, reached = goal(cross_entropy, labels, targets)
        lengths = iter(self.step_size * (1 - step / self.steps) for step in range(self.steps))

        def nearness(logits: Logits, where: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
            return -(logits - wanted[where]).square().sum(dim=1)  # Sabour Eq. 1

        def move(adversarial: Images, gradient: Images, where: Int64[Tensor, " n"]) -> Images:
            step = next(lengths) * self.ball.steepest(gradient)
            return self.ball.project(adversarial + step, images[where])

        return ascend(model, images, (nearness, reached), move, steps=self.steps, until=until)


def _wanted(
    clean: Logits, bank: Float[Tensor, "m j"], labels: Labels, targets: Labels | None, rank: int
) -> Logits:
    """For each sample the row of another class, or the target's, that is `rank`-th nearest."""
    if bank.shape[1] != clean.shape[1]:
        raise InputError(f"bank has {bank.shape[1]} logits a row, the model {clean.shape[1]}")
    classes = bank.argmax(dim=1)
    fits = classes != labels[:, None] if targets is None else classes == targets[:, None]
    if lacking := (~fits.any(dim=1)).nonzero().flatten().tolist():
        wrong = labels if targets is None else targets
        kind = "other than" if targets is None else "of"
        raise InputError(f"bank has no logits of a class {kind} {int(wrong[lacking[0]])}")
    # Without matrix products, whose rounding depends on the batch.
    distance = torch.cdist(clean, bank, compute_mode="donot_use_mm_for_euclid_dist")
    near = distance.masked_fill(~fits, float("inf"))
    order = near.topk(min(rank + 1, len(bank)), dim=1, largest=False).indices
    last = fits.sum(dim=1).clamp(max=order.shape[1]) - 1
    return bank[order.gather(1, last[:, None]).squeeze(1)]
