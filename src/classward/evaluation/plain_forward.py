"""Does the model only compute, or does it optimise its input before it answers?

Source: Croce et al., "Evaluating the Adversarial Robustness of Adaptive Test-time Defenses",
arXiv:2202.13711: such a defense has gradients that say little and an answer that costs more.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch

from classward.core.types import Classifier, Images


def gradients_inside(model: Classifier, images: Images) -> int:
    """How often the model takes gradients of its own in one forward pass.

    Args:
        model: Images to logits.
        images: A few images.
    """
    taken = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal taken
            taken += 1
            return function(*args, **options)

        return call

    with (
        torch.no_grad(),
        patch("torch.autograd.grad", counted(torch.autograd.grad)),
        patch("torch.autograd.backward", counted(torch.autograd.backward)),
    ):
        model(images)
    return taken
