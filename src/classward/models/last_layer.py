"""Any classifier as features and head, where its last layer is a linear one."""

from typing import Any

import torch
from torch import Tensor, nn

from classward.core.errors import ClasswardError, InputError
from classward.core.types import Images
from classward.models.heads import LinearHead
from classward.models.network import Network, evaluating

NO_HEAD = "has no last linear layer to put a head in place of"


def as_network(model: nn.Module, images: Images, *, name: str = "model") -> Network:
    """The same function as a `Network`, made of the layers of `model`, which is used up.

    Its last layer is the linear layer whose outputs are the logits; it becomes the head, and
    what came into it the features. A `Network` is returned as it is.

    Args:
        model: Images in [0, 1] to logits.
        images: Any images it takes; they are sent through it twice.
        name: What to call it in an error.

    Raises:
        InputError: If it does not take the images, or its logits come from another layer.
    """
    if isinstance(model, Network):
        return model
    try:
        logits, path = _last_linear(model, images)
    except ClasswardError:
        raise
    except Exception as error:  # whatever layers from outside raise
        raise InputError(
            f"{name} does not take images of shape {tuple(images.shape[1:])}: "
            f"{type(error).__name__}"
        ) from error
    if not path:
        raise InputError(f"{name} {NO_HEAD}: write it as Network(features, head)")
    layer = model.get_submodule(path)
    assert isinstance(layer, nn.Linear)
    model.set_submodule(path, nn.Identity())
    network = Network(model, _head(layer))
    network.train(model.training)
    with evaluating(network), torch.no_grad():
        features = network.features(images)
        if features.ndim != 2 or not torch.equal(network.head(features), logits):
            raise InputError(f"{name} {NO_HEAD}: '{path}' is used otherwise too")
    return network


def _last_linear(model: nn.Module, images: Images) -> tuple[Tensor, str]:
    """Logits, and the path of the linear layer that gives them; empty if none does."""
    outputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_hook(_keep_output(path, outputs))
        for path, layer in model.named_modules()
        if path and type(layer) is nn.Linear
    ]
    try:
        with evaluating(model), torch.no_grad():
            logits = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    given = [path for path, output in outputs.items() if output is logits]
    return logits, given[-1] if given else ""


def _keep_output(path: str, outputs: dict[str, Tensor]) -> Any:
    def hook(layer: nn.Module, given: Any, output: Tensor) -> None:
        outputs[path] = output

    return hook


def _head(layer: nn.Linear) -> LinearHead:
    """The same layer as a head; without a bias, one of zeros."""
    head = LinearHead(layer.in_features, layer.out_features)
    with torch.no_grad():
        head.linear.weight.copy_(layer.weight)
        head.linear.bias.zero_()
        if layer.bias is not None:
            head.linear.bias.copy_(layer.bias)
    return head
