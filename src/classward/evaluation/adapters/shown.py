"""The model as an attack of others sees it: a module, of which it can change nothing."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from classward.core.types import Classifier, Images, Logits


class Shown(nn.Module):
    """A module in eval mode around any model; gradients reach the images and nothing else.

    Args:
        model: Images to logits.
        device: Where it is; some attacks look for it at the first parameter.
    """

    def __init__(self, model: Classifier, device: torch.device) -> None:
        super().__init__()
        self.ask = model if not isinstance(model, nn.Module) else model.__call__
        self.place = nn.Parameter(torch.empty(0, device=device), requires_grad=False)
        self.eval()

    def forward(self, images: Images) -> Logits:
        """Logits of each image."""
        if images.requires_grad and torch.is_grad_enabled():
            return torch.as_tensor(_Asked.apply(images, self.ask))
        with torch.no_grad():
            return self.ask(images.float())


class _Asked(torch.autograd.Function):
    """A graph of its own, so that no gradient is left on the model's weights."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, ask: Classifier) -> Tensor:
        with torch.enable_grad():
            ctx.images = images.detach().float().requires_grad_()
            ctx.logits = ask(ctx.images)
        return ctx.logits.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = torch.autograd.grad(
            ctx.logits, ctx.images, gradients[0], retain_graph=True
        )
        return gradient, None
