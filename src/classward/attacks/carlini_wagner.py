"""Carlini and Wagner's l2 attack (C&W): trade the distance against the margin, by Adam.

Paper: Carlini and Wagner, "Towards Evaluating the Robustness of Neural Networks", S&P 2017,
arXiv:1608.04644, Sec. VI-A.
Reading: the defaults are the cheap ones of Li et al., arXiv:1906.10973, Sec. 3; what they find
is adversarial, but neither always found nor minimal.
Not to be confused with: "CW" in tables of l-infinity defenses, which is PGD on the margin loss.
"""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.options import Count, NonNegative, Positive, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until

Gap = Callable[[Images, Labels], Tensor]  # how far beyond the boundary: positive is adversarial

EDGE = 1 - 1e-6  # tanh of an unbounded variable never reaches 1
LARGEST = 1e10  # of the trade-off constant; beyond it Adam's squares overflow


@options
class CarliniWagner:
    """Look for the smallest l2 perturbation that changes the class; there is no radius.

    Costs one forward pass, then `binary_steps` x `steps` forward and backward passes of the
    samples that it did not settle.

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

        With `until`, its word counts instead of the model's: the first image of a sample that
        it confirms is returned.

        Raises:
            InputError: If `loss` is given; the attack has its own.
        """
        if loss is not None:
            raise InputError("CarliniWagner has a loss of its own: leave loss out")
        classes, sign = (labels, 1) if targets is None else (targets, -1)

        def gap(images: Images, classes: Labels) -> Tensor:
            return sign * margin(model(images), classes)

        result, where = images.clone(), self._unsettled(gap, images, classes, until)
        const = images.new_full((len(where),), self.initial_const)
        lower, upper = torch.zeros_like(const), torch.full_like(const, float("inf"))
        nearest = torch.full_like(const, float("inf"))
        for _ in range(self.binary_steps):
            found, distance = self._descend(gap, images, classes, const, where, until)
            better = (distance < nearest) | nearest.isinf()
            result[where[better]] = found[better]
            nearest = torch.minimum(nearest, distance)
            hit = distance.isfinite()
            upper, lower = torch.where(hit, const, upper), torch.where(hit, lower, const)
            const = torch.where(upper.isinf(), 10 * const, (lower + upper) / 2)
            if until is not None:
                kept = (const, lower, upper, nearest, where)
                const, lower, upper, nearest, where = (rows[~hit] for rows in kept)
            const = const.clamp(max=LARGEST)
        return result

    def _unsettled(
        self, gap: Gap, images: Images, classes: Labels, until: Until | None
    ) -> Int64[Tensor, " m"]:
        """Positions of the samples whose clean image will not do."""
        where = torch.arange(len(images), device=images.device)
        if len(images) == 0:
            return where
        with torch.no_grad():
            done = gap(images, classes) > self.confidence
        if until is not None and done.any():
            done[done.clone()] = until(images[done], where[done])
        return where[~done]

    def _descend(
        self,
        gap: Gap,
        images: Images,
        classes: Labels,
        const: Float[Tensor, " m"],
        where: Int64[Tensor, " m"],
        until: Until | None,
    ) -> tuple[Float[Tensor, "m c h w"], Float[Tensor, " m"]]:
        """Run Adam at each sample's `const`: nearest image found, and its distance or inf."""
        found, distance = images[where], torch.full_like(const, float("inf"))
        w = (2 * found - 1).clamp(-EDGE, EDGE).atanh()
        mean, square = torch.zeros_like(w), torch.zeros_like(w)
        rows = torch.arange(len(where), device=where.device)
        for step in range(1, self.steps + 1):
            if len(rows) == 0:
                break
            adversarial = ((w.tanh() + 1) / 2).requires_grad_()
            beyond = gap(adversarial, classes[where[rows]])
            (gradient,) = torch.autograd.grad(beyond.sum(), adversarial)
            adversarial, beyond = adversarial.detach(), beyond.detach()
            change = adversarial - images[where[rows]]
            length = change.flatten(1).norm(dim=1)
            closer = (beyond > self.confidence) & (length < distance[rows])
            if until is not None and closer.any():
                closer[closer.clone()] = until(adversarial[closer], where[rows[closer]])
            found[rows[closer]], distance[rows[closer]] = adversarial[closer], length[closer]
            # Gradient in w of |change|^2 + const max(0, confidence - beyond).
            pull = (const[rows] * (beyond <= self.confidence)).view(-1, 1, 1, 1)
            slope = (2 * change - pull * gradient) * 2 * adversarial * (1 - adversarial)
            if until is not None:
                kept = (rows, w, mean, square, slope)
                rows, w, mean, square, slope = (part[~closer] for part in kept)
            mean, square = mean.lerp(slope, 0.1), square.lerp(slope**2, 0.001)
            average, spread = mean / (1 - 0.9**step), square / (1 - 0.999**step)
            w = w - self.step_size * average / (spread.sqrt() + 1e-8)
        missed = distance[rows].isinf()
        found[rows[missed]] += 0 * w[missed]  # a NaN gradient must not pass for a failure
        return found, distance
