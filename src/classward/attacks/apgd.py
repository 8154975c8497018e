"""Auto-PGD (APGD): projected ascent with momentum whose steps shrink by themselves.

Paper: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks", ICML 2020, arXiv:2003.01690, Alg. 1; towards classes: Sec. 4.
Reading: the checkpoints are those of the authors' program, which rounds down.
Not to be confused with: AutoAttack, a suite of four attacks of which this one is two.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.attacks.ascent import Goal, Rise, goal
from classward.core.balls import Ball, Linf
from classward.core.losses import cross_entropy, dlr, dlr_targeted
from classward.core.options import Count, options
from classward.core.randomness import SampleRandom
from classward.core.rivals import likeliest_rivals
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until

FORWARD = 0.75  # share of the new step in each move; the rest is momentum
RISES = 0.75  # least share of steps that raise the loss, or the step size is halved


@options
class APGD:
    """Climb a loss from a random point of the edge; halve the step where it stops helping.

    Attributes:
        ball: Norm and radius of the allowed perturbations.
        objective: What it climbs, if it is given no loss. "dlr_targeted" climbs towards one
            rival class after the other, each from a start of its own.
        steps: Number of steps; each costs one forward and one backward pass, for each rival.
        target_classes: How many rivals "dlr_targeted" tries: the likeliest at the clean image.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    ball: Ball = Linf(8 / 255)
    objective: Literal["cross_entropy", "dlr", "dlr_targeted"] = "cross_entropy"
    steps: Count = 100
    target_classes: Count = 9

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
        """Return for each input the image of the ball with the highest loss met on the way.

        Of several rivals, the one towards which the loss rose highest counts.
        """
        result, highest = images.clone(), images.new_full((len(images),), -float("inf"))
        where = torch.arange(len(images), device=images.device)
        if len(images) == 0:
            return result
        for towards in self._goals(model, images, labels, targets, loss):
            start = self.ball.random_edge(images[where], rng)
            climb = _Climb.begin(where, images[where], start, 2 * self.ball.eps)
            climb = self._ascend(model, towards, climb, until, result)
            higher = ~(climb.height <= highest[climb.where])  # NaN counts: it is a failure
            result[climb.where[higher]] = climb.best[higher]
            highest[climb.where[higher]] = climb.height[higher]
            rng, where = rng.keep(torch.isin(where, climb.where)), climb.where
            if len(where) == 0:
                break
        return result

    def _goals(
        self,
        model: Classifier,
        images: Images,
        labels: Labels,
        targets: Labels | None,
        loss: SampleLoss | None,
    ) -> Iterator[Goal]:
        """What to climb, and what to reach by it; the given loss and targets come first."""
        own = dlr if self.objective == "dlr" else cross_entropy
        rise, reached = goal(loss or own, labels, targets)
        if loss is not None or self.objective == "cross_entropy":
            yield rise, reached
        elif targets is not None:
            yield _towards(labels, targets), reached
        elif self.objective == "dlr":
            yield rise, reached
        else:
            with torch.no_grad():
                rivals = likeliest_rivals(model(images), labels, self.target_classes)
            for aims in rivals.unbind(dim=1):
                yield _towards(labels, aims), reached

    def _ascend(
        self,
        model: Classifier,
        towards: Goal,
        climb: "_Climb",
        until: Until | None,
        result: Images,
    ) -> "_Climb":
        """Climb to the end; what `until` confirms goes into `result` and out of the climb."""
        (rise, reached), checkpoints = towards, _checkpoints(self.steps)
        for step in range(self.steps + 1):
            if len(climb.where) == 0:
                break
            logits = climb.look(model, rise, final=step == self.steps)
            done = reached(logits, climb.where)
            if until is not None and done.any():
                done[done.clone()] = until(climb.adversarial[done], climb.where[done])
                result[climb.where[done]] = climb.adversarial[done]
                climb = climb.keep(~done)
            if step in checkpoints:
                climb.halve(window=checkpoints[step])
            if step < self.steps:
                climb.move(self.ball, FORWARD if step > 0 else 1.0)
        return climb


@dataclass
class _Climb:
    """Where each sample is on its way up, and where it has been."""

    where: Int64[Tensor, " n"]
    clean: Images
    adversarial: Images
    before: Images  # the iterate before
    gradient: Images
    best: Images
    best_gradient: Images
    height: Float[Tensor, " n"]  # of the best
    latest: Float[Tensor, " n"]  # height of the latest iterate
    checked: Float[Tensor, " n"]  # height of the best at the last checkpoint
    rises: Float[Tensor, " n"]  # steps that raised the loss since then
    halved: Bool[Tensor, " n"]  # whether the step size was halved there
    step_size: Float[Tensor, "n 1 1 1"]

    @staticmethod
    def begin(
        where: Int64[Tensor, " n"], clean: Images, start: Images, step_size: float
    ) -> "_Climb":
        """Nothing is known of the start yet."""
        lowest = clean.new_full((len(clean),), -float("inf"))
        return _Climb(
            where=where,
            clean=clean,
            adversarial=start,
            before=start,
            gradient=torch.zeros_like(start),
            best=start,
            best_gradient=torch.zeros_like(start),
            height=lowest,
            latest=-lowest,  # the start is no rise
            checked=lowest,
            rises=torch.zeros_like(lowest),
            halved=torch.ones_like(lowest, dtype=torch.bool),
            step_size=clean.new_full((len(clean), 1, 1, 1), step_size),
        )

    def keep(self, mask: Bool[Tensor, " n"]) -> "_Climb":
        """The samples of `mask` alone."""
        return _Climb(**{entry.name: getattr(self, entry.name)[mask] for entry in fields(self)})

    def look(self, model: Classifier, rise: Rise, *, final: bool) -> Tensor:
        """Take height and gradient of the latest iterate, and note the best; its logits."""
        adversarial = self.adversarial.detach().requires_grad_(not final)
        with torch.set_grad_enabled(not final):
            logits = model(adversarial)
            height = rise(logits, self.where)
        if not final:
            (self.gradient,) = torch.autograd.grad(height.sum(), adversarial)
        height = height.detach()
        self.rises = self.rises + (height > self.latest)
        self.latest = height
        higher = ~(height <= self.height)
        mask = higher.view(-1, 1, 1, 1)
        self.best = torch.where(mask, self.adversarial, self.best)
        self.best_gradient = torch.where(mask, self.gradient, self.best_gradient)
        self.height = torch.where(higher, height, self.height)
        return logits.detach()

    def move(self, ball: Ball, forward: float) -> None:
        """One step up, of which a share is momentum."""
        momentum = (self.adversarial - self.before).mul_(1 - forward)
        step = ball.steepest(self.gradient).mul_(self.step_size)
        ahead = ball.project(step.add_(self.adversarial), self.clean)
        moved = ahead.sub_(self.adversarial).mul_(forward).add_(self.adversarial).add_(momentum)
        self.before, self.adversarial = self.adversarial, ball.project(moved, self.clean)

    def halve(self, window: int) -> None:
        """Halve the step where it no longer helps, and go on from the best there."""
        few = self.rises <= RISES * window  # condition 1
        stuck = ~self.halved & (self.checked >= self.height)  # condition 2
        self.halved, self.checked = few | stuck, self.height
        self.rises = torch.zeros_like(self.rises)
        mask = self.halved.view(-1, 1, 1, 1)
        self.step_size = torch.where(mask, self.step_size / 2, self.step_size)
        self.adversarial = torch.where(mask, self.best, self.adversarial)
        self.gradient = torch.where(mask, self.best_gradient, self.gradient)


def _checkpoints(steps: int) -> dict[int, int]:
    """Steps after which the step size is judged, each with the number of steps it had.

    >>> list(_checkpoints(100))
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    window, least, shrink = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    found, at = {}, window
    while at <= steps:
        found[at] = window
        window = max(window - shrink, least)
        at += window
    return found


def _towards(labels: Labels, aims: Labels) -> Rise:
    return lambda logits, where: dlr_targeted(logits, labels[where], aims[where])
