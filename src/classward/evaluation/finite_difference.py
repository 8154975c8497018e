"""Does the gradient say what the logits do? Autograd beside a finite difference.

A gradient that was cut, faked or left out disagrees with the change it should predict.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from classward.core.balls import TINY, Ball
from classward.core.randomness import SampleRandom
from classward.core.types import Classifier, Images, Labels, Logits

REACH = 1e-3  # largest pixel change of the difference: a quarter of one of 255 steps
DRAWS = 3  # points of the ball for each image


def disagreement(
    model: Classifier, images: Images, labels: Labels, ball: Ball, rng: SampleRandom
) -> Float[Tensor, " n"]:
    """Relative error of what the gradient predicts, in [0, 2], the median of a few draws.

    At random points of the ball the margin to the likeliest rival is followed a little way
    along its own gradient, or along noise where there is none. 0 where nothing changes.

    Args:
        model: Images to logits, in eval mode.
        images: Clean images.
        labels: Their labels.
        ball: Where to look.
        rng: One random stream for each image.
    """
    errors = [_error(model, ball.random_point(images, rng), labels, rng) for _ in range(DRAWS)]
    return torch.stack(errors).median(dim=0).values


def _error(
    model: Classifier, images: Images, labels: Labels, rng: SampleRandom
) -> Float[Tensor, " n"]:
    images = images.clamp(REACH, 1 - REACH).requires_grad_()
    logits = model(images)
    rivals = logits.detach().scatter(1, labels[:, None], -float("inf")).argmax(dim=1)
    (gradient,) = torch.autograd.grad(_gap(logits, labels, rivals).sum(), images)
    noise = rng.normal(images.shape[1:]).to(images)
    flat = (gradient == 0).flatten(1).all(dim=1).view(-1, 1, 1, 1)
    step = REACH * torch.where(flat, noise, gradient).sign()
    with torch.no_grad():
        after = _gap(model(images + step), labels, rivals)
        change = after - _gap(model(images - step), labels, rivals)
    predicted = 2 * (gradient * step).flatten(1).sum(dim=1)
    error = (change - predicted).abs() / torch.maximum(change.abs(), predicted.abs()).clamp(
        TINY
    )
    return error.nan_to_num(2.0)


def _gap(logits: Logits, labels: Labels, rivals: Labels) -> Float[Tensor, " n"]:
    return (logits.gather(1, rivals[:, None]) - logits.gather(1, labels[:, None])).squeeze(1)
