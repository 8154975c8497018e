"""Carlini and Wagner's l2 attack (C&W): trade the distance against the margin, by Adam.

Paper: Carlini and Wagner, "Towards Evaluating the Robustness of Neural Networks", S&P 2017,
arXiv:1608.04644, Sec. VI-A.
Reading: the defaults are the cheap ones of Li et al., arXiv:1906.10973, Sec. 3; what they find
is adversarial, but neither always found nor minimal. Beyond the boundary the slope is that of
the distance, which needs no model: it is asked again when the way back leads nearer than the
nearest found. No sample is given up.
Not to be confused with: "CW" in tables of l-infinity defenses, which is PGD on the margin loss.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.options import Count, NonNegative, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until

EDGE = 1 - 1e-6  # tanh of an unbounded variable never reaches 1
LARGEST = 1e10  # of the trade-off constant; beyond it Adam's squares overflow


@options
class CarliniWagner:
    """Look for the smallest l2 perturbation that changes the class; there is no radius.

    Costs at most two forward passes and one backward pass, then `binary_steps` x (`steps` - 1)
    of both, of the samples that it did not settle.

    Attributes:
        norm: The norm that is kept small.
        steps: Steps of Adam at each trade-off constant; the first is at the clean image.
        binary_steps: Trade-off constants tried for each sample, by binary search.
        initial_const: First trade-off constant (c of the paper).
        step_size: Learning rate of Adam, in units of arctanh.
        confidence: Logits by which the other class must win (kappa of the paper).
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    norm: Literal["l2"] = "l2"
    steps: Count = 25
    binary_steps: Count = 4
    initial_const: Positive = 10.0
    step_size: Positive = 0.01
    confidence: NonNegative = 0.0

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
        """Return the nearest adversarial image found for each input, else the input itself.

        A model with an attribute `exact` is differentiated, and that one decides what is
        adversarial. With `until`, its word counts instead: the first image of a sample that it
        confirms is returned.

        Raises:
            InputError: If `loss` is given; the attack has its own.
        """
        if loss is not None:
            raise InputError("CarliniWagner has a loss of its own: leave loss out")
        classes, sign = (labels, 1) if targets is None else (targets, -1)
        asked = _Asked(model, classes, sign, self.confidence, until)
        result, where = images.clone(), torch.arange(len(images), device=images.device)
        where = where[~asked.beyond(images, where)]
        _, gradient = asked.gradient(images[where], where)
        const = images.new_full((len(where),), self.initial_const)
        lower, upper = torch.zeros_like(const), torch.full_like(const, float("inf"))
        nearest = torch.full_like(const, float("inf"))
        for _ in range(self.binary_steps):
            found, distance = self._descend(asked, images[where], where, const, gradient)
            better = (distance < nearest) | nearest.isinf()
            result[where[better]] = found[better]
            nearest = torch.minimum(nearest, distance)
            hit = distance.isfinite()
            upper, lower = torch.where(hit, const, upper), torch.where(hit, lower, const)
            const = torch.where(upper.isinf(), 10 * const, (lower + upper) / 2)
            if until is not None:
                kept = (const, lower, upper, nearest, where, gradient)
                const, lower, upper, nearest, where, gradient = (rows[~hit] for rows in kept)
            const = const.clamp(max=LARGEST)
        return result

    def _descend(
        self,
        asked: "_Asked",
        images: Images,
        where: Int64[Tensor, " n"],
        const: Float[Tensor, " n"],
        gradient: Images,
    ) -> tuple[Images, Float[Tensor, " n"]]:
        """Run Adam at each sample's `const`: nearest image found, and its distance or inf.

        Args:
            asked: The model.
            images: Clean images.
            where: Their positions in the batch.
            const: Trade-off constant of each.
            gradient: Of the gap, at the clean images.
        """
        found, distance = images.clone(), torch.full_like(const, float("inf"))
        w = (2 * images - 1).clamp(-EDGE, EDGE).atanh()
        mean, square = torch.zeros_like(w), torch.zeros_like(w)
        beyond, half = torch.zeros_like(where, dtype=torch.bool), const.view(-1, 1, 1, 1) / 2
        for step in range(1, self.steps + 1):
            tanh = w.tanh()
            adversarial = (tanh + 1) / 2
            slope = adversarial - images  # half of |change|^2 - const * gap, in the image
            if step == 1:
                slope -= half * gradient
            else:
                length = slope.flatten(1).norm(dim=1)
                closer = length < distance
                again = beyond & closer & asked.goes_on
                beyond[again] = asked.beyond(adversarial[again], where[again])
                short = ~beyond
                beyond[short], rise = asked.gradient(adversarial[short], where[short])
                slope[short] -= half[short] * rise
                closer &= beyond & (again | short)
                found[closer], distance[closer] = adversarial[closer], length[closer]
            slope *= 1 - tanh.square_()
            mean.lerp_(slope, 0.1)
            square.lerp_(slope.square_(), 0.001)
            spread = (square / (1 - 0.999**step)).sqrt_().add_(1e-8)
            w.addcdiv_(mean, spread, value=-self.step_size / (1 - 0.9**step))
        missed = distance.isinf()
        found[missed] += 0 * w[missed]  # a NaN gradient must not pass for a failure
        return found, distance


class _Asked:
    """What is asked about images: whether they are adversarial, and what makes them more so."""

    def __init__(
        self,
        model: Classifier,
        classes: Labels,
        sign: int,
        confidence: float,
        until: Until | None,
    ) -> None:
        self.model, self.exact = model, getattr(model, "exact", model)
        self.classes, self.sign, self.confidence = classes, sign, confidence
        self.until, self.goes_on = until, until is None

    def beyond(self, images: Images, where: Int64[Tensor, " n"]) -> Bool[Tensor, " n"]:
        """Whether each image is adversarial; `where` are the positions of its samples."""
        if len(where) == 0:
            return torch.zeros_like(where, dtype=torch.bool)
        with torch.no_grad():
            said = self._gap(self.exact, images, where) > self.confidence
        return self._confirmed(said, images, where)

    def gradient(
        self, images: Images, where: Int64[Tensor, " n"]
    ) -> tuple[Bool[Tensor, " n"], Images]:
        """Whether each image is adversarial, and if not, how the gap rises."""
        if len(where) == 0:
            return torch.zeros_like(where, dtype=torch.bool), images
        images = images.detach().requires_grad_()
        gap = self._gap(self.model, images, where)
        (gradient,) = torch.autograd.grad(gap.sum(), images)
        said, images = gap.detach() > self.confidence, images.detach()
        if self.until is not None:
            said = self._confirmed(said, images, where)
        elif self.exact is not self.model:
            said[said.clone()] = self.beyond(images[said], where[said])
        return said, gradient.masked_fill_(said.view(-1, 1, 1, 1), 0)

    def _confirmed(
        self, said: Bool[Tensor, " n"], images: Images, where: Int64[Tensor, " n"]
    ) -> Bool[Tensor, " n"]:
        if self.until is not None and said.any():
            said[said.clone()] = self.until(images[said], where[said])
        return said

    def _gap(self, model: Classifier, images: Images, where: Int64[Tensor, " n"]) -> Tensor:
        """Logits by which the other class wins."""
        return self.sign * margin(model(images), self.classes[where])
