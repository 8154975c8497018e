"""A gradient model that takes whatever is done to the image first for the identity.

Source: Athalye et al., arXiv:1802.00420, Sec. 4.1: the backward pass of pre-processing such as
quantisation or JPEG replaced by that of the identity.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from classward.core.types import Images


def bypassed(model: Any, images: Images) -> nn.Module | None:
    """The model, its gradient that of its last part that still takes an image.

    The forward pass is exact. `None` if no part takes anything shaped like an image, or the
    model cannot be copied.

    Args:
        model: Images to logits; left as it was.
        images: A few images, whose shape tells a picture from a feature map.
    """
    if not isinstance(model, nn.Module):
        return None
    try:
        twin = copy.deepcopy(model)
    except (RuntimeError, TypeError):
        return None
    last = _last_part(twin, images)
    if last is None:
        return None
    made = _Bypassed(twin, last)
    try:
        asked = images.clone().requires_grad_()
        torch.autograd.grad(made(asked).sum(), asked)
    except RuntimeError:  # the model takes gradients of its own, which the detour cuts
        return None
    return made


def _last_part(model: nn.Module, images: Images) -> nn.Module | None:
    """The part that is called last with something of the shape of an image."""
    called: list[nn.Module] = []

    def note(part: nn.Module, given: tuple[Any, ...]) -> None:
        if given and isinstance(given[0], Tensor) and given[0].shape == images.shape:
            called.append(part)

    hooks = [
        part.register_forward_pre_hook(note) for part in model.modules() if part is not model
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return called[-1] if called else None


class _Bypassed(nn.Module):
    def __init__(self, model: nn.Module, part: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.images: Tensor | None = None
        part.register_forward_pre_hook(self._replace)

    def forward(self, images: Images) -> Tensor:
        self.images = images
        try:
            return self.model(images)
        finally:
            self.images = None

    def _replace(self, part: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self.images is None or given[0].shape != self.images.shape:
            return None
        value = given[0].detach() + (self.images - self.images.detach())  # the value, exactly
        return (value, *given[1:])
