"""Class weights of any classifier: the rows whose similarities Eq. 6 measures.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 6.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classward.core.types import Classifier, Images
from classward.models.heads import Head
from classward.models.network import Network, evaluating


def class_weights(model: Classifier, images: Images) -> tuple[Float[Tensor, "k d"] | None, str]:
    """One row for each class, or `None` where no layer has such rows; and where from, or why.

    They are the prototypes of a network's head, else the weights of the last linear or 1x1
    convolutional layer whose output is the logits.

    Args:
        model: Images in [0, 1] to logits; left as it was.
        images: Any images it takes; the first is sent through it once.
    """
    if isinstance(model, Network):
        return _rows(model.head), f"prototypes of the head ({type(model.head).__name__})"
    if not isinstance(model, nn.Module):
        return None, "a plain callable has no layers to look into"
    outputs: list[tuple[str, nn.Module, Tensor]] = []
    hooks = []
    for name, layer in model.named_modules():
        if _has_rows(layer):
            hooks.append(layer.register_forward_hook(_keep_output(name, outputs)))
    try:
        with evaluating(model), torch.no_grad():
            logits = model(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    for name, layer, output in reversed(outputs):
        if output.numel() == logits.numel() and torch.equal(
            output.reshape(logits.shape), logits
        ):
            return _rows(layer), f"weights of layer '{name}' ({type(layer).__name__})"
    return None, "its logits are not the output of a linear or 1x1 convolutional layer"


def _has_rows(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (1, 1) and layer.groups == 1
    return isinstance(layer, Head | nn.Linear)


def _keep_output(name: str, outputs: list[tuple[str, nn.Module, Tensor]]) -> Any:
    def hook(layer: nn.Module, _: Any, output: Tensor) -> None:
        outputs.append((name, layer, output.clone()))  # a later layer may write into it

    return hook


def _rows(layer: nn.Module) -> Tensor:
    if isinstance(layer, Head):
        return layer.prototypes().detach()
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    return layer.weight.detach().flatten(1)
