"""Projected ascent: the one loop of the attacks that climb a loss step by step in a ball.

Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
arXiv:1706.06083, Sec. 2.1. What an attack adds is where it starts, what it climbs and how it
moves.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.core.balls import Ball
from classward.core.types import Classifier, Images, Labels, SampleLoss, Until

# Each of these is given `where`: the positions in the batch of the rows it is given.
Rise = Callable[[Tensor, Tensor], Tensor]  # (logits, where) -> what each sample climbs
Reached = Callable[[Tensor, Tensor], Tensor]  # (logits, where) -> whether it is there
Move = Callable[[Tensor, Tensor, Tensor], Tensor]  # (adversarial, gradient, where) -> the next
Goal = tuple[Rise, Reached]


def along(loss: Callable[..., Tensor], *given: Tensor) -> Rise:
    """Climb `loss` of the logits and of what is given, one row for each sample of the batch."""
    return lambda logits, where: loss(logits, *(rows[where] for rows in given))


def goal(loss: SampleLoss, labels: Labels, targets: Labels | None) -> Goal:
    """Climb the loss of the labels until they are left, or descend that of the targets."""
    if targets is None:
        return along(loss, labels), lambda logits, where: logits.argmax(dim=1) != labels[where]
    return (
        along(lambda logits, classes: -loss(logits, classes), targets),
        lambda logits, where: logits.argmax(dim=1) == targets[where],
    )


def steepest_steps(ball: Ball, step_size: float, clean: Images) -> Move:
    """Steepest steps of one length in the ball's norm, each projected into the ball."""
    rows, project = len(clean), ball.around(clean)

    def move(adversarial: Images, gradient: Images, where: Int64[Tensor, " n"]) -> Images:
        nonlocal rows, project
        if len(where) < rows:  # some are done
            rows, project = len(where), ball.around(clean[where])
        return project(torch.add(adversarial, ball.steepest(gradient), alpha=step_size))

    return move


def ascend(
    model: Classifier,
    start: Images,
    goal: Goal,
    move: Move,
    *,
    steps: int,
    until: Until | None,
    keep: Literal["last", "best"] = "last",
) -> Images:
    """Move `steps` times; a step costs one forward and one backward pass.

    Returns the last iterate of each sample, or with "best", which costs another forward pass,
    the highest: one that reached the goal before any that did not. Iterates that reached it are
    candidates; one that `until` confirms is returned at once.
    """
    rise, reached = goal
    where = torch.arange(len(start), device=start.device)
    result, adversarial = start.clone(), start
    best = start.new_full((len(start), 2), -float("inf"))  # reached, height
    for _ in range(steps):
        if len(where) == 0:
            return result
        adversarial = adversarial.detach().requires_grad_()
        logits = model(adversarial)
        height = rise(logits, where)
        (gradient,) = torch.autograd.grad(height.sum(), adversarial)
        adversarial, height, done = (
            adversarial.detach(),
            height.detach(),
            reached(logits, where),
        )
        if until is not None and done.any():
            done[done.clone()] = until(adversarial[done], where[done])
            result[where[done]] = adversarial[done]
            kept = (adversarial, gradient, height, where, done)
            adversarial, gradient, height, where, done = (rows[~done] for rows in kept)
        if keep == "best":
            _note(result, best, adversarial, height, done, where)
        adversarial = move(adversarial, gradient, where)
    if keep == "last":
        result[where] = adversarial
    elif len(where) > 0:
        with torch.no_grad():
            logits = model(adversarial)
            _note(result, best, adversarial, rise(logits, where), reached(logits, where), where)
    return result


def _note(
    result: Float[Tensor, "all c h w"],
    best: Float[Tensor, "all 2"],
    adversarial: Images,
    height: Float[Tensor, " n"],
    done: Bool[Tensor, " n"],
    where: Int64[Tensor, " n"],
) -> None:
    """Write what is better than the best so far; NaN is, unless the goal was reached."""
    before, highest = best[where].unbind(dim=1)
    higher = (height > highest) | height.isnan() & (before < 1)
    better = (done > before) | (done == before) & higher
    result[where[better]] = adversarial[better]
    best[where[better]] = torch.stack([done.to(best), height.to(best)], dim=1)[better]
