"""Adversarial examples planted where they must be found: a test of the attack, not the model.

For each image a direction in the space of the logits and a threshold are chosen so that a
known point of the ball lies beyond it and the clean image does not. "Is it beyond?" is then a
problem of two classes with a known answer, on the model's own logits; an attack that cannot
solve it would not have found the model's own adversarial examples either.

Source: Zimmermann et al., "Increasing Confidence in Adversarial Robustness Evaluations",
arXiv:2206.13991, Sec. 3. Reading: the read-out is that direction of the logits instead of a
classifier trained on the last features, which not every model shows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from classward.attacks.pgd import PGD
from classward.core.balls import Ball
from classward.core.randomness import SampleRandom
from classward.core.types import Classifier, Images, Logits

DRAWS = 20  # points inside the ball, and as many at full length
INSIDE = 0.5  # radius of the inner points, as a share of the ball's
SEPARATE = 1e-5  # least distance of planted point and threshold, relative to the logits


@dataclass(frozen=True)
class Planted:
    """How the search for planted examples went.

    Attributes:
        planted: Images for which a point could be planted.
        found: Those where the attack got beyond the threshold.
    """

    planted: Bool[Tensor, " n"]
    found: Bool[Tensor, " n"]


def plant_and_search(
    model: Classifier, images: Images, ball: Ball, rng: SampleRandom
) -> Planted:
    """Plant an example for each image, and look for it with PGD-20, three times.

    Args:
        model: Images to logits, in eval mode.
        images: Clean images.
        ball: Where to plant and to search.
        rng: One random stream for each image.
    """
    with torch.no_grad():
        inner = torch.stack([model(_point(images, ball, rng, INSIDE)) for _ in range(DRAWS)])
        outer = torch.stack([model(_point(images, ball, rng, 1.0)) for _ in range(DRAWS)])
        direction, threshold, planted = _plant(model(images), inner, outer)

    def beyond(points: Images) -> Float[Tensor, "n 2"]:
        reached = (model(points) * direction).sum(dim=1)
        return torch.stack([threshold, reached], dim=1)

    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    found = torch.zeros_like(planted)
    for random_start in (False, True, True):
        attack = PGD(ball=ball, steps=20, step_size=ball.eps / 4, random_start=random_start)
        made = attack(beyond, images, labels, rng=rng, loss=_reached)
        with torch.no_grad():
            found |= beyond(made)[:, 1] > threshold
    return Planted(planted=planted, found=found & planted)


def _point(images: Images, ball: Ball, rng: SampleRandom, share: float) -> Images:
    """Points in a random direction, at this share of the radius."""
    random = rng.normal(images.shape[1:]).to(images)
    return ball.project(images + share * ball.eps * ball.steepest(random), images)


def _plant(
    clean: Logits, inner: Float[Tensor, "m n k"], outer: Float[Tensor, "m n k"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """For each image: a direction of the logits, a threshold, and whether it separates."""
    centre = inner.mean(dim=0)
    far = (outer - centre).norm(dim=2).argmax(dim=0)
    rows = torch.arange(len(clean), device=clean.device)
    direction = outer[far, rows] - centre
    direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-12)
    inside = torch.maximum(
        (inner * direction).sum(dim=2).amax(dim=0), (clean * direction).sum(1)
    )
    planted = (outer[far, rows] * direction).sum(dim=1)
    apart = planted - inside
    size = clean.abs().amax(dim=1).clamp(min=1)
    return direction, inside + 0.5 * apart, apart > SEPARATE * size


def _reached(logits: Logits, labels: Tensor) -> Float[Tensor, " n"]:
    """How far beyond the threshold; its gradient does not depend on the scale of the logits."""
    return logits[:, 1] - logits[:, 0]
