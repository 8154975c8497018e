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
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor

from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.options import Count, NonNegative, options
from classward.core.randomness import SampleRandom
from classward.core.rivals import likeliest_rivals
from classward.core.types import Access, Classifier, Images, Labels, Logits, SampleLoss, Until

BALLS = {"l2": L2(0), "linf": Linf(0)}
DUAL = {"l2": 2, "linf": 1}  # order of the norm that a gradient is measured in
# Least length of a step, in pixel units: above rounding, far below any distance.
LEAST = {"l2": 1e-4, "linf": 1e-6}


@options
class DeepFool:
    """Look for the smallest perturbation that changes the class; there is no radius.

    Attributes:
        norm: The norm that is kept small.
        steps: Most steps; each costs a forward pass, and a backward pass for each rival that
            may be the nearest.
        candidates: How many classes are looked at: the label and its likeliest rivals at the
            clean image.
        overshoot: Share by which each step goes beyond the boundary.
        steeper: How many times steeper than the steepest rival looked at in a step another
            may be. One too far for that is not looked at; a large value looks at all.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()
    at_boundary: ClassVar[bool] = True  # where bfloat16 and float32 disagree

    norm: Literal["l2", "linf"] = "l2"
    steps: Count = 100
    candidates: Annotated[int, Field(ge=2)] = 10
    overshoot: NonNegative = 0.02
    steeper: Annotated[float, Field(ge=1)] = 2.0

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
        result, adversarial, rivals, slopes = images.clone(), images, None, None
        for _ in range(self.steps):
            if len(where) == 0:
                break
            adversarial = adversarial.detach().requires_grad_()
            logits = model(adversarial)
            if rivals is None or slopes is None:  # at the clean image
                rivals = likeliest_rivals(logits.detach(), labels, self.candidates - 1)
                slopes = torch.full_like(rivals, float("inf"), dtype=images.dtype)
            done = logits.argmax(dim=1) != labels
            if until is not None and done.any():
                done[done.clone()] = until(adversarial.detach()[done], where[done])
            going = ~(done | stuck)
            step = self._to_nearest_boundary(
                model, adversarial, logits, labels, rivals, slopes, going
            )
            before = adversarial.detach()
            result[where[~going]] = before[~going]
            kept = (before, step, labels, rivals, slopes, where)
            before, step, labels, rivals, slopes, where = (rows[going] for rows in kept)
            adversarial = (before + (1 + self.overshoot) * step).clamp(0, 1)
            stuck = (adversarial == before).flatten(1).all(dim=1)
        result[where] = adversarial.detach()
        return result

    def _to_nearest_boundary(
        self,
        model: Classifier,
        images: Images,
        logits: Logits,
        labels: Labels,
        rivals: Int64[Tensor, "n rivals"],
        slopes: Float[Tensor, "n rivals"],
        going: Bool[Tensor, " n"],
    ) -> Images:
        """Step to the nearest linearised boundary; 0 where no rival has a gradient.

        Each sample looks at the rivals in the order of their least distances, until these are
        beyond the nearest found. Those few that look further get a graph of their own, which
        one more forward pass of them pays where it spares more backward passes of the others.
        """
        gaps = (logits.gather(1, rivals) - logits.gather(1, labels[:, None])).detach().abs()
        least, order = (gaps / (self.steeper * slopes)).nan_to_num(0).sort(dim=1)
        expected = (least <= self.steeper * least[:, :1]).sum(dim=1)
        towards, nearest = torch.zeros_like(images), torch.full_like(gaps[:, 0], float("inf"))
        rows, (down, up) = torch.arange(len(images), device=images.device), _room(images)
        start = images.detach()
        for rank in range(rivals.shape[1]):
            asked = going & ~(least[:, rank] > nearest)
            if not asked.any():
                break
            ahead = (expected[asked] - rank).clamp(min=1).double().mean()
            if (1 + ahead) * asked.sum() <= ahead * len(rows):
                rows = asked.nonzero().flatten()
                images = start[rows].requires_grad_()
                logits, (down, up) = model(images), _room(images)
            which = order[rows, rank]
            pair = torch.stack([rivals[rows, which], labels[rows]], dim=1)
            gap = -logits.gather(1, pair).diff(dim=1).squeeze(1)
            (gradient,) = torch.autograd.grad(gap.sum(), images, retain_graph=True)
            gradient = gradient.clamp(down, up)
            slope = self._slope(gradient)
            distance, taken = gap.detach().abs() / slope, asked[rows]
            slopes[rows[taken], which[taken]] = slope.where(slope != 0, float("inf"))[taken]
            taken &= (slope != 0) & ~(distance >= nearest[rows])  # of a faulty gradient, NaN
            nearest[rows[taken]], towards[rows[taken]] = distance[taken], gradient[taken]
        length = nearest.masked_fill(nearest.isinf(), 0).clamp(min=LEAST[self.norm])
        return length.view(-1, 1, 1, 1) * BALLS[self.norm].steepest(towards)

    def _slope(self, gradient: Images) -> Float[Tensor, " n"]:
        """Rise per step of unit norm; in float64, where the squares of few pixels are 0."""
        flat, order = gradient.flatten(1), DUAL[self.norm]
        return torch.linalg.vector_norm(flat, order, dim=1, dtype=torch.float64).to(flat)


def _room(images: Images) -> tuple[Images, Images]:
    """Least and largest change of each pixel, which is unbounded but for those at 0 or 1."""
    down = torch.where(images > 0, -float("inf"), 0.0)
    return down, torch.where(images < 1, float("inf"), 0.0)
