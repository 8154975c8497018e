"""A model that is watched while an attack uses it: what it cost, and what gradients it gave."""

from collections.abc import Callable

import torch
from torch import Tensor

from classward.records.result import GradientCounts, Passes


class Watched:
    """Hands on to `model` and counts, in images, forwards, input gradients and faulty ones.

    Attributes:
        calls: Number of calls since `restart`.
    """

    def __init__(self, model: Callable[[Tensor], Tensor]) -> None:
        self.model = model
        self.calls = self.forward = self.backward = 0
        # Summed on the device: asking for the value after each gradient would wait for it.
        self._zero: Tensor | int = 0
        self._not_finite: Tensor | int = 0

    def __call__(self, images: Tensor) -> Tensor:
        """The model's logits."""
        self.calls += 1
        self.forward += len(images)
        if images.requires_grad and torch.is_grad_enabled():
            images = images.view_as(images)  # the hook dies with this call
            images.register_hook(self._look)
        return self.model(images)

    def _look(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
        largest = gradient.detach().flatten(1).abs().amax(dim=1)  # NaN stays NaN
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
