"""Models by name.

A built-in model is a public function, in any other file of this folder, that returns a
`Network`; the folder is the list.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import getmembers, isfunction, signature
from pathlib import Path
from typing import Any

import torch
from torch import nn

import classward.models as folder
from classward.core.errors import InputError
from classward.core.losses import LOSSES, LossName
from classward.models import heads
from classward.models.external import load_external, nearest
from classward.models.heads import Head, HeadFactory
from classward.models.network import Network, first_weights
from classward.models.weights import Weights, fill, read_weights, shown

LIMITS = {"classes": (2, 10**6), "channels": (1, 1024), "size": (1, 1024)}
LAST_LAYERS = ("linear", "fc", "classifier")  # names of the last layer in published files


def models() -> list[str]:
    """Names of the built-in models.

    >>> "resnet20" in models()
    True
    """
    return sorted(_builders())


def build(
    name: str,
    *,
    classes: int | None = None,
    channels: int | None = None,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
    head: HeadFactory | None = None,
) -> Network:
    """Make a built-in network with first weights drawn from `seed`, in training mode.

    What is not given is the model's own default.

    Raises:
        InputError: If there is no such model, or a number is out of bounds.
    """
    builders = _builders()
    if name not in builders:
        raise InputError(
            f"unknown model '{name}', the nearest is '{nearest(name, builders)}'; "
            "or torchvision:NAME, timm:NAME, FILE.py:FUNCTION"
        )
    counts = {"classes": classes, "channels": channels, "size": size}
    for key, (least, most) in LIMITS.items():
        value = counts[key]
        if value is not None and not least <= value <= most:
            raise InputError(f"{name}: {key} must be in {least}..{most}, got {value}")
    asked = counts | {"mean": mean, "std": std, "head": head}
    with first_weights(seed):
        return builders[name](**{k: value for k, value in asked.items() if value is not None})


def load_model(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: int | None = None,
    size: int | None = None,
    seed: int = 0,
    head: HeadFactory | None = None,
) -> nn.Module:
    """Make a classifier, images in [0, 1] to logits, in eval mode.

    A model of `FILE.py:FUNCTION` keeps the mode in which the function returns it.

    Args:
        name: A built-in name (`models()`), `torchvision:NAME`, `timm:NAME` or
            `FILE.py:FUNCTION`, which is called with `weights=` if it takes that, else without
            arguments.
        weights: A .safetensors, .pt, .pth or .th file, or the folder of a training run.
            Without them a built-in model is untrained, a library's has its published ones.
        classes: Number of classes, by default those of the weights.
        mean: Mean of each channel, in pixel units, by default that of the weights or model.
        std: Standard deviation of each channel, in pixel units.
        channels: Channels of an image, by default those of the weights; built-in models only.
        size: Height and width of an image, in pixels; built-in models only.
        seed: Seed of what the weights leave random.
        head: Makes the last layer from the numbers of features and of classes; by default
            the one the weights name; built-in models only.

    Raises:
        InputError: If the model or file is unknown, damaged, or they do not fit (one line).
        SystemFaultError: If a file may not be read, or a download fails.
    """
    if ":" in name or name.endswith(".py"):
        if head is not None:
            raise InputError(f"{name} has a last layer of its own: leave head out")
        return load_external(
            name, weights=weights, classes=classes, mean=mean, std=std, seed=seed
        )
    asked: dict[str, Any] = {
        "classes": classes,
        "channels": channels,
        "size": size,
        "mean": mean,
        "std": std,
        "head": head,
    }
    if weights is None:
        return build(name, seed=seed, **asked).eval()
    stored = read_weights(weights)
    stored = replace(stored, tensors={_ours(key): v for key, v in stored.tensors.items()})
    network = build(name, seed=seed, **_agreed(asked, stored))
    fill(network, stored)
    network.adaptive_losses = _adaptive_losses(stored)
    return network.eval()


def _builders() -> dict[str, Callable[..., Network]]:
    """Each model's name with the function of that name that makes it."""
    found: dict[str, Callable[..., Network]] = {}
    for file in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{file.name}")
        for name, function in getmembers(module, isfunction):
            here = function.__module__ == module.__name__ != __name__
            public = here and not name.startswith("_")
            if public and signature(function).return_annotation is Network:
                found[name] = function
    return found


def _ours(key: str) -> str:
    """Name in a published file -> name in a `Network`, which has `features` and `head`."""
    layer, _, leaf = key.rpartition(".")
    if key.startswith(("features.", "head.")):
        return key
    return f"head.linear.{leaf}" if layer in LAST_LAYERS else f"features.{key}"


def _agreed(asked: dict[str, Any], stored: Weights) -> dict[str, Any]:
    """What is asked for, completed by what the weights say; they must not contradict it."""
    agreed = dict(asked)
    for key, fact in _facts(stored, custom_head=asked["head"] is not None).items():
        if agreed[key] is None:
            agreed[key] = fact
        elif key != "size" and not torch.equal(
            torch.tensor(agreed[key]).float(), torch.tensor(fact).float()
        ):
            raise InputError(
                f"weights {stored.source}: made with {key}={fact}, not {agreed[key]}"
            )
    return agreed


def _adaptive_losses(stored: Weights) -> tuple[LossName, ...]:
    named = stored.about.get("adaptive_losses", [])
    if not isinstance(named, list) or any(name not in LOSSES for name in named):
        raise InputError(
            f"weights {stored.source}: adaptive losses {shown(str(named))}, known are "
            f"{', '.join(LOSSES)}"
        )
    return tuple(named)


def _facts(stored: Weights, *, custom_head: bool) -> dict[str, Any]:
    """What a file of weights says of its network."""
    tensors, facts = stored.tensors, {}
    for key in ("head.linear.weight", "head.weight"):
        if key in tensors and tensors[key].ndim == 2:
            facts["classes"] = len(tensors[key])
    for key in tensors:
        layer, _, leaf = key.rpartition(".")
        if layer.startswith("features.") and leaf == "mean" and f"{layer}.std" in tensors:
            mean, std = (
                tensors[key].flatten().tolist(),
                tensors[f"{layer}.std"].flatten().tolist(),
            )
            facts |= {"channels": len(mean), "mean": mean, "std": std}
    if isinstance(stored.about.get("size"), int):
        facts["size"] = stored.about["size"]
    if not custom_head:
        facts["head"] = _head(stored)
    return facts


def _head(stored: Weights) -> HeadFactory:
    known = {
        name: head
        for name, head in vars(heads).items()
        if isinstance(head, type) and issubclass(head, Head) and head is not Head
    }
    unit = {"head.weight", "head.scale"} <= stored.tensors.keys()
    name = str(stored.about.get("head", "UnitWeightHead" if unit else "LinearHead"))
    if name not in known:
        raise InputError(
            f"weights {stored.source}: made with head {name}, known are "
            f"{', '.join(sorted(known))}: pass head="
        )
    return known[name]
