"""Where a gradient of exactly zero hides something, and where there is nothing to hide.

A masked gradient is zero although the logits change; a network whose units are all off is
constant there, and no attack of any kind would move it.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from classward.core.balls import Ball
from classward.core.randomness import SampleRandom
from classward.core.types import Images, Labels, SampleLoss
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.watched import Watched

POINTS = 4  # random points of the ball beside each clean image
CHANGED = 1e-6  # of the logits, relative to the largest: above rounding in float32


def blind_share(
    model: Model,
    data: Split,
    loss: SampleLoss,
    ball: Ball,
    *,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
) -> float:
    """Share of samples with a gradient of zero at a point of the ball where logits change.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        loss: Whose gradient.
        ball: Where to look: at the clean image and at `POINTS` random points.
        seed: Seed of the points.
        batch_size: Images at once.
        device: A torch device.
    """
    blind = 0
    with judging(model, device):
        judge = Judge(model, data, device)
        for positions in torch.arange(len(data)).split(batch_size):
            images, labels, ids = judge.batch(positions)
            draws = [SampleRandom(seed, "blind", ids, restart) for restart in range(POINTS)]
            points = [images, *(ball.random_point(images, draw) for draw in draws)]
            blind += int(_blind(Watched(model), points, labels, loss).sum())
    return blind / len(data)


def _blind(
    model: Model, points: list[Images], labels: Labels, loss: SampleLoss
) -> Bool[Tensor, " n"]:
    flat, seen = [], []
    for point in points:
        asked = point.clone().requires_grad_()
        logits = model(asked)
        (gradient,) = torch.autograd.grad(loss(logits, labels).sum(), asked)
        flat.append((gradient == 0).flatten(1).all(dim=1))
        seen.append(logits.detach())
    logits = torch.stack(seen)
    spread = (logits.amax(dim=0) - logits.amin(dim=0)).amax(dim=1)
    changes = spread > CHANGED * logits.abs().amax(dim=(0, 2)).clamp(min=1)
    return torch.stack(flat).any(dim=0) & changes
