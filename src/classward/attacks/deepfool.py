"""DeepFool, l2 or l-infinity: walk to the nearest boundary of the linearised model, and again.

Paper: Moosavi-Dezfooli et al., "DeepFool: a simple and accurate method to fool deep neural
networks", CVPR 2016, arXiv:1511.04599, Alg. 2; for l-infinity Sec. 3.3.
Reading: the class to leave is the label, so a sample that is not taken for it comes back as it
is. A pixel that would leave [0, 1] stays, and the boundary is sought with the others. Shrinking
steps can stall at a curved boundary, hence a least length for each. Candidates and number of
steps are those of Li et al., arXiv:1906.10973, Sec. 3.
"""

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Int64
from pydantic import Field
from torch import Tensor

from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.options import Count, NonNegative, options
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, Logits, SampleLoss, Until

BALLS = {"l2": L2(0), "linf": Linf(0)}
# Least length of a step, in pixel units: above rounding, far below any distance.
LEAST = {"l2": 1e-4, "linf": 1e-6}


@options
class DeepFool:
    """Look for the smallest perturbation that changes the class; there is no radius.

    Attributes:
        norm: The norm that is kept small.
        steps: Most steps; each costs a forward pass, a backward pass for each rival, and
            another forward pass of the samples left when one has crossed.
        candidates: How many classes are looked at: the label and its likeliest rivals at the
            clean image.
        overshoot: Share by which each step goes beyond the boundary.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    norm: Literal["l2", "linf"] = "l2"
    steps: Count = 100
    candidates: Annotated[int, Field(ge=2)] = 10
    overshoot: NonNegative = 0.02

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
        """Return for each input the first iterate beyond a boundary, else the last, in [0, 1].

        Raises:
            InputError: If `targets` or `loss` is given; it has use for neither.
        """
        if targets is not None or loss is not None:
            raise InputError("DeepFool takes neither targets nor a loss: leave them out")
        where = torch.arange(len(images), device=images.device)
        stuck = torch.zeros_like(where, dtype=torch.bool)
        result, adversarial, rivals = images.clone(), images, None
        for _ in range(self.steps):
            if len(where) == 0:
                break
            adversarial = adversarial.detach().requires_grad_()
            logits = model(adversarial)
            rivals = self._rivals(logits.detach(), labels) if rivals is None else rivals
            done = logits.argmax(dim=1) != labels
            if until is not None and done.any():
                done[done.clone()] = until(adversarial.detach()[done], where[done])
            done |= stuck
            if done.any():
                result[where[done]] = adversarial.detach()[done]
                kept = (adversarial.detach(), labels, rivals, where)
                adversarial, labels, rivals, where = (rows[~done] for rows in kept)
                if len(where) == 0:
                    break
                logits = model(adversarial.requires_grad_())  # a graph of these rows alone
            step = self._to_nearest_boundary(logits, labels, rivals, adversarial)
            before = adversarial.detach()
            adversarial = (before + (1 + self.overshoot) * step).clamp(0, 1)
            stuck = (adversarial == before).flatten(1).all(dim=1)
        result[where] = adversarial.detach()
        return result

    def _rivals(self, logits: Logits, labels: Labels) -> Int64[Tensor, "n rivals"]:
        others = logits.scatter(1, labels[:, None], -float("inf"))
        return others.topk(min(self.candidates, logits.shape[1]) - 1).indices

    def _to_nearest_boundary(
        self,
        logits: Logits,
        labels: Labels,
        rivals: Int64[Tensor, "n rivals"],
        images: Images,
    ) -> Images:
        """Step to the nearest linearised boundary; 0 where no rival has a gradient."""
        gaps = logits.gather(1, rivals) - logits.gather(1, labels[:, None])
        step, nearest = torch.zeros_like(images), images.new_full((len(images),), float("inf"))
        for gap in gaps.unbind(dim=1):
            (gradient,) = torch.autograd.grad(gap.sum(), images, retain_graph=True)
            blocked = torch.where(gradient > 0, images >= 1, (gradient < 0) & (images <= 0))
            gradient = gradient.masked_fill(blocked, 0)
            unit = BALLS[self.norm].steepest(gradient)
            slope = (gradient * unit).flatten(1).sum(dim=1)  # the dual norm of the gradient
            distance = gap.detach().abs() / slope
            nearer = (slope != 0) & ~(distance >= nearest)  # of a faulty gradient, NaN
            nearest = torch.where(nearer, distance, nearest)
            length = distance.clamp(min=LEAST[self.norm]).view(-1, 1, 1, 1)
            step[nearer] = (length * unit)[nearer]
        return step
