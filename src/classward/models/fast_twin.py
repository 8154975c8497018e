"""The fast twin: convolutions and matrix products in bfloat16, on hardware that gains by it.

Normalisation and the layer that gives the logits stay in float32: pixels differ by less than
bfloat16 tells apart, and so do the logits of two classes near a boundary. Attacks are led by
it; what is true of an image, the model itself says, in float32.
"""

import copy
from typing import Any

import torch
from torch import nn

from classward.core.types import Classifier, Images
from classward.models.twin import difference, generic, make_twin

TOLERANCE = 0.1  # largest difference of logits, as a share of their spread; seen: 0.02
SIGNS = 0.85  # least share of input gradients that keep their sign; seen: 0.93 to 0.99


def make_fast_twin(model: Classifier, images: Images) -> tuple[Classifier, str]:
    """Return a twin in bfloat16, or what `make_twin` gives; and in words, which and why.

    What decides is the hardware and the layers, never a timing, so that a resumed run decides
    as the first one did. `model` is never changed.

    Args:
        model: Images in [0, 1] to logits.
        images: Images to check on; their device is where the twin will run.
    """
    twin, reason = make_twin(model, images)
    if fault := _no_gain(twin, images.device):
        return twin, f"{reason}; in float32: {fault}"
    assert isinstance(twin, nn.Module)
    try:
        fast = _in_bfloat16(twin)
        fault = difference(twin, fast, generic(images), tolerance=TOLERANCE, signs=SIGNS)
    except Exception as error:  # noqa: BLE001 - any module may come, and none is owed a twin
        return twin, f"{reason}; in float32: a bfloat16 copy fails with {type(error).__name__}"
    if fault:
        return twin, f"{reason}; in float32: {fault}"
    return fast, f"{reason}; in bfloat16, by {_hardware(images.device)}"


def _no_gain(model: Classifier, device: torch.device) -> str | None:
    if not isinstance(model, nn.Module):
        return "a plain callable has no layers"
    if any(layer.training for layer in model.modules()):
        return "it is in training mode"
    if len(_layers(model)) < 2:
        return "it has no layers besides the last"
    if any(_depthwise(layer) for layer in model.modules()):
        return "depthwise convolutions are slower in bfloat16"
    if _hardware(device) is None:
        return "this hardware does not multiply bfloat16"
    return None


def _hardware(device: torch.device) -> str | None:
    """What multiplies bfloat16 on this device, if anything does."""
    if device.type == "cuda":
        return "tensor cores" if torch.cuda.get_device_capability(device) >= (8, 0) else None
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # torch < 2.11
        return None
    known = torch.cpu.get_capabilities()
    named = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    return next((name for key, name in named.items() if known.get(key)), None)


def _layers(model: nn.Module) -> list[nn.Module]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def _depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def _in_bfloat16(model: nn.Module) -> nn.Module:
    """A copy whose convolutions and linear layers, but for the last, take and give bfloat16."""
    fast = copy.deepcopy(model).requires_grad_(False)
    *most, last = _layers(fast)
    for layer in most:
        layer.to(torch.bfloat16).register_forward_pre_hook(_to_bfloat16)
    last.register_forward_pre_hook(_to_float32)
    return fast


def _to_bfloat16(layer: nn.Module, given: Any) -> Any:
    return (given[0].to(torch.bfloat16), *given[1:])


def _to_float32(layer: nn.Module, given: Any) -> Any:
    return (given[0].float(), *given[1:])
