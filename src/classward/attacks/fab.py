"""Fast adaptive boundary attack (FAB): the nearest adversarial image, along the boundary.

Paper: Croce and Hein, "Minimally distorted Adversarial Examples with a Fast Adaptive Boundary
Attack", ICML 2020, arXiv:1907.02044, Alg. 1; the targeted form, FAB-T, is that of the same
authors' AutoAttack, arXiv:2003.01690.
Reading: an image that is not in the ball is not accepted, and the input is returned. The first
run starts at the clean image; restarts start at random, halfway to the edge of the ball.
Not to be confused with: DeepFool, which forgets the clean image once it has left it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.linalg import vecdot

from classward.core.balls import Ball, Linf
from classward.core.errors import InputError
from classward.core.options import Count, options
from classward.core.randomness import SampleRandom
from classward.core.rivals import likeliest_rivals
from classward.core.types import Access, Classifier, Images, Labels, Logits, SampleLoss, Until

PULL = 0.1  # most share of a step that goes towards the clean image (alpha_max of the paper)
BEYOND = 1.05  # each projection is overshot by this factor (eta)
BACK = 0.9  # share of the distance kept when a boundary was crossed (beta)
LEAST = 1e-8  # of a projection's length, and of a weight beside the largest one


@options
class FAB:
    """Step to the linearised boundary, drawn to the clean image; step back when beyond it.

    Attributes:
        ball: Norm that is kept small, and the radius within which an image is accepted.
        steps: Number of steps; each costs one forward and one backward pass for each rival, and
            another forward pass for samples that crossed.
        targeted: Walk to the boundary of one rival after the other; otherwise to that of the
            nearest at each step, which takes a backward pass for each class.
        target_classes: How many rivals the targeted form tries: the likeliest ones at the
            clean image.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()
    at_boundary: ClassVar[bool] = True  # where bfloat16 and float32 disagree

    ball: Ball = Linf(8 / 255)
    steps: Count = 100
    targeted: bool = True
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
        """Return the nearest adversarial image found for each input, else the input itself.

        With `until`, the first image of a sample that it confirms is returned.

        Raises:
            InputError: If `loss` is given; the attack has its own.
        """
        if loss is not None:
            raise InputError("FAB has a loss of its own: leave loss out")
        nearest = images.new_full((len(images),), float("inf"))
        search = _Search(
            model, self.ball, images, labels, targets, until, images.clone(), nearest
        )
        where = torch.arange(len(images), device=images.device)
        for rivals in self._rounds(search) if len(images) else ():
            left = self._walk(search, where, self._start(images[where], rng), rivals[where])
            rng, where = rng.keep(torch.isin(where, left)), left
            if len(where) == 0:
                break
        return search.result

    def _rounds(self, search: "_Search") -> Iterator[Int64[Tensor, "n rivals"]]:
        """The rivals of each sample whose boundaries are looked at together."""
        if search.targets is not None:
            yield search.targets[:, None]
            return
        with torch.no_grad():
            logits = search.model(search.images)
        count = self.target_classes if self.targeted else logits.shape[1] - 1
        rivals = likeliest_rivals(logits, search.labels, count)
        yield from rivals.split(1, dim=1) if self.targeted else [rivals]

    def _start(self, clean: Images, rng: SampleRandom) -> Images:
        if rng.restart == 0:
            return clean
        return replace(self.ball, eps=self.ball.eps / 2).random_edge(clean, rng)

    def _walk(
        self,
        search: "_Search",
        where: Int64[Tensor, " n"],
        points: Images,
        rivals: Int64[Tensor, "n rivals"],
    ) -> Int64[Tensor, " left"]:
        """Walk along the boundary; the positions of the samples that are not finished.

        Near the boundary walks keep a rhythm: who crossed two steps ago will again. These are
        asked without a gradient, which where a walk steps back would be of no use.
        """
        clean = search.images[where]
        crossed = before = torch.zeros_like(where, dtype=torch.bool)
        for _ in range(self.steps):
            expected, before = before, crossed
            crossed = search.ask(points, expected, where)
            left = ~search.propose(points, crossed, where)
            points = _back(points, clean, crossed)
            logits, gap, gradient = search.look(points, rivals, where)
            new = search.crossed(logits, where) & ~crossed
            left &= ~search.propose(points, new, where)
            rows = (where, points, rivals, gap, gradient, crossed | new, before, new, clean)
            where, points, rivals, gap, gradient, crossed, before, new, clean = (
                rows if left.all() else (row[left] for row in rows)
            )
            if len(where) == 0:
                return where
            if new.any():
                points = _back(points, clean, new)
                _, gap[new], gradient[new] = search.look(points[new], rivals[new], where[new])
            points = self._step(points, clean, gap, gradient)
        search.note_faults(points, where)
        crossed = search.ask(points, torch.ones_like(crossed), where)
        return where[~search.propose(points, crossed, where)]

    def _step(
        self, points: Images, clean: Images, gap: Float[Tensor, " n"], gradient: Images
    ) -> Images:
        """Towards the boundary from where the walk is, and from the clean image."""
        ahead = _to_boundary(self.ball, points, gap, gradient)
        aside = ((points - clean) * gradient).flatten(1).sum(dim=1)
        direct = _to_boundary(self.ball, clean, gap - aside, gradient)
        zeros = torch.zeros_like(points)
        far, near = (
            self.ball.distance(move, zeros).clamp(min=LEAST) for move in (ahead, direct)
        )
        share = (far / (far + near)).clamp(max=PULL).view(-1, 1, 1, 1)
        walked, pulled = points + BEYOND * ahead, clean + BEYOND * direct
        return torch.lerp(walked, pulled, share).clamp(0, 1)


@dataclass
class _Search:
    """One call of the attack, and the nearest accepted image of each sample so far."""

    model: Classifier
    ball: Ball
    images: Images
    labels: Labels
    targets: Labels | None
    until: Until | None
    result: Images
    nearest: Float[Tensor, " n"]

    def crossed(self, logits: Logits, where: Int64[Tensor, " m"]) -> Bool[Tensor, " m"]:
        """Which samples are off the label or, with targets, on them."""
        said = logits.argmax(dim=1)
        if self.targets is None:
            return said != self.labels[where]
        return said == self.targets[where]

    def ask(
        self, points: Images, whom: Bool[Tensor, " m"], where: Int64[Tensor, " m"]
    ) -> Bool[Tensor, " m"]:
        """Which of these samples crossed; the others count as if they had not."""
        crossed = torch.zeros_like(whom)
        if whom.any():
            with torch.no_grad():
                crossed[whom] = self.crossed(self.model(points[whom]), where[whom])
        return crossed

    def note_faults(self, points: Images, where: Int64[Tensor, " m"]) -> None:
        """NaN, which a walk never leaves again, must not pass for a failure."""
        missed = self.nearest[where].isinf()
        self.result[where[missed]] += 0 * points[missed]

    def propose(
        self, points: Images, crossed: Bool[Tensor, " m"], where: Int64[Tensor, " m"]
    ) -> Bool[Tensor, " m"]:
        """Keep what is nearer and in the ball; which samples `until` says are finished."""
        finished = torch.zeros_like(crossed)
        if not crossed.any():
            return finished
        distance = self.ball.distance(points, self.images[where])
        nearer = crossed & (distance <= self.ball.eps) & (distance < self.nearest[where])
        self.result[where[nearer]] = points[nearer]
        self.nearest[where[nearer]] = distance[nearer]
        if self.until is None or not nearer.any():
            return finished
        nearer[nearer.clone()] = self.until(points[nearer], where[nearer])
        return nearer

    def look(
        self, points: Images, rivals: Int64[Tensor, "m rivals"], where: Int64[Tensor, " m"]
    ) -> tuple[Logits, Float[Tensor, " m"], Images]:
        """Logits, and by how much the nearest rival leads, with the gradient of that lead."""
        points = points.detach().requires_grad_()
        logits = self.model(points)
        leads = logits.gather(1, rivals) - logits.gather(1, self.labels[where, None])
        if rivals.shape[1] == 1:
            (gradient,) = torch.autograd.grad(leads.sum(), points)
            return logits.detach(), leads.detach().squeeze(1), gradient
        lead, gradient = torch.zeros_like(leads[:, 0]), torch.zeros_like(points)
        nearest = torch.full_like(lead, float("inf"))
        for each in leads.unbind(dim=1):
            (slope,) = torch.autograd.grad(each.sum(), points, retain_graph=True)
            steepness = slope.flatten(1).norm(p=1 if self.ball.norm == "linf" else 2, dim=1)
            distance = each.detach().abs() / steepness
            nearer = ~(distance >= nearest)  # NaN counts: it is a fault
            nearest = torch.where(nearer, distance, nearest)
            lead = torch.where(nearer, each.detach(), lead)
            gradient = torch.where(nearer.view(-1, 1, 1, 1), slope, gradient)
        return logits.detach(), lead, gradient


def _back(points: Images, clean: Images, crossed: Bool[Tensor, " n"]) -> Images:
    """Those that crossed go back towards the clean image; the others stay."""
    if not crossed.any():
        return points
    return torch.lerp(clean, points, torch.where(crossed, BACK, 1.0).view(-1, 1, 1, 1))


def _to_boundary(
    ball: Ball, points: Images, lead: Float[Tensor, " n"], gradient: Images
) -> Images:
    """Shortest move inside [0, 1] after which the linearised lead is 0, or as near as can be.

    Every pixel moves at its own pace until it meets the edge of the box. The lead falls ever
    slower as the move grows longer, so Newton's steps come up to the length from below, and end
    after a few: when no further pixel meets the edge.
    """
    weight, points = gradient.flatten(1), points.flatten(1)
    largest = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
    weight, lead = weight / largest, lead[:, None] / largest
    along, weight = -weight.sign() * lead.sign(), weight.abs()
    room = along.clamp(min=0) - along * points
    pace = torch.ones_like(weight) if ball.norm == "linf" else weight.clamp(min=LEAST)
    fall, fallen, stops = weight * pace, weight * room, room / pace
    length, before = torch.zeros_like(largest), -torch.ones_like(largest)
    while (length > before).any():
        met = stops.clone().le_(length)  # 1.0 or 0.0
        missing = lead.abs() - vecdot(fallen, met)[:, None]
        slope = vecdot(fall, 1 - met)[:, None].clamp(min=torch.finfo(weight.dtype).tiny)
        before, length = length, (missing / slope).maximum(length)
    return (along * torch.minimum(length * pace, room)).view_as(gradient)
