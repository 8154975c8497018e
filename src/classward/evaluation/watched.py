"""A model that is watched while an attack uses it: what it cost, and what gradients it gave."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from classward.evaluation.judge import Model, judging
from classward.records.result import GradientCounts, Passes


class Watched:
    """Hands on to `model` and counts, in images, forwards, input gradients and faulty ones.

    Args:
        model: What is differentiated.
        exact: What decides instead of it, where it only approximates the classifier.

    Attributes:
        calls: Number of calls since `restart`.
        exact: What an attack asks that decides for itself what is adversarial; counted, too.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        exact: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.model, self._exact = model, exact
        self.exact = self if exact is None else self._decide
        self.calls = self.forward = self.backward = 0
        # Summed on the device: asking for the value after each gradient would wait for it.
        self._zero: Tensor | int = 0
        self._not_finite: Tensor | int = 0
        self._cut: bool | None = None  # known after the first gradient

    def __call__(self, images: Tensor) -> Tensor:
        """The model's logits."""
        self.calls += 1
        self.forward += len(images)
        if images.requires_grad and torch.is_grad_enabled():
            images = images.view_as(images)  # the hook dies with this call
            images.register_hook(self._look)
            return self._linked(self.model(images), images)
        return self.model(images)

    def _decide(self, images: Tensor) -> Tensor:
        assert self._exact is not None
        self.forward += len(images)
        return self._exact(images)

    def _linked(self, logits: Tensor, images: Tensor) -> Tensor:
        """The logits; where no gradient leads back to the images, one that is zero.

        An attack on a model that was cut off then stands still, and its zeros are counted,
        where torch would stop with an error.
        """
        if self._cut is None:
            self._cut = not _leads_to(logits.grad_fn, images.grad_fn)
        if not self._cut:
            return logits
        return logits + 0 * images.flatten(1).sum(dim=1, keepdim=True).to(logits.dtype)

    def _look(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
        axes = tuple(range(1, gradient.ndim))
        largest = gradient.detach().abs().amax(dim=axes)  # NaN stays NaN
        self._zero = self._zero + (largest == 0).sum()
        self._not_finite = self._not_finite + (~largest.isfinite()).sum()

    @property
    def passes(self) -> Passes:
        """Images sent forward, and images whose gradient was taken."""
        return Passes(forward=self.forward, backward=self.backward)

    @property
    def gradients(self) -> GradientCounts:
        """How many of the gradients were zero or not finite."""
        return GradientCounts(
            taken=self.backward, zero=int(self._zero), not_finite=int(self._not_finite)
        )


@contextmanager
def counted(model: Model, device: str, spent: list[Passes]) -> Iterator[Watched]:
    """The model on the device and in eval mode; what it was asked is added to `spent`."""
    with judging(model, device):
        watched = Watched(model)
        try:
            yield watched
        finally:
            spent.append(watched.passes)


def _leads_to(node: Any, goal: Any) -> bool:
    """Whether a gradient at `node` of the graph arrives at `goal`."""
    seen, waiting = set(), [node]
    while waiting:
        at = waiting.pop()
        if at is goal:
            return at is not None
        if at is not None and at not in seen:
            seen.add(at)
            waiting += [following for following, _ in at.next_functions]
    return False
