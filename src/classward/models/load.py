"""Models by name.

A built-in model is a public function, in any other file of this folder, that takes keywords
alone and returns a `Network`; the folder is the list.
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
from classward.models.external import load_external, nearest, needs_weights
from classward.models.facts import adaptive_losses, facts, named_head
from classward.models.heads import HeadFactory
from classward.models.last_layer import as_network
from classward.models.network import Network, first_weights
from classward.models.weights import Weights, fill, read_weights, weights_file

LIMITS: dict[str, tuple[float, float]] = {
    "classes": (2, 10**6),
    "channels": (1, 1024),
    "size": (1, 1024),
    "width": (0.01, 4),
}
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
    width: float | None = None,
    seed: int = 0,
    head: HeadFactory | None = None,
) -> Network:
    """Make a network with first weights drawn from `seed`, in training mode.

    What is not given is the model's own default.

    Args:
        name: A built-in name, or one of `load_model`'s others: that model, untrained, with its
            last linear layer as the head.
        classes: Number of classes.
        channels: Channels of an image.
        size: Height and width of an image, in pixels.
        mean: Mean of each channel, in pixel units.
        std: Standard deviation of each channel, in pixel units.
        width: Multiplies the number of channels of every layer; built-in models only.
        seed: Seed of the weights.
        head: Makes the last layer from the numbers of features and of classes.

    Raises:
        InputError: If there is no such model, a number is out of bounds, or a model from
            outside has no last linear layer.
    """
    builders = _builders()
    external = _is_external(name)
    if not external and name not in builders:
        raise InputError(
            f"unknown model '{name}', the nearest is '{nearest(name, builders)}'; "
            "or torchvision:NAME, timm:NAME, robustbench:NAME, FILE.py:FUNCTION"
        )
    numbers = {"classes": classes, "channels": channels, "size": size, "width": width}
    for key, (least, most) in LIMITS.items():
        value = numbers[key]
        if value is not None and not least <= value <= most:
            raise InputError(f"{name}: {key} must be in {least}..{most}, got {value}")
    if external and width not in (None, 1):
        raise InputError(f"{name} has layers of its own: leave width out")
    if external:
        shape = (channels or 3, size or 32, size or 32)
        made = load_external(
            name, classes=classes, mean=mean, std=std, seed=seed, untrained=True
        )
        with first_weights(seed):
            network = as_network(made, torch.rand(2, *shape), name=name)
        with first_weights(seed + 1):  # other numbers than the first layers have
            return _with_head(network, name, classes, head).train()
    asked = numbers | {"mean": mean, "std": std, "head": head}
    with first_weights(seed):
        return builders[name](**{k: value for k, value in asked.items() if value is not None})


def _with_head(
    network: Network, name: str, classes: int | None, head: HeadFactory | None
) -> Network:
    """Put the head that is asked for in place of one of another class or size."""
    own, count = network.head, len(network.head.prototypes())
    other = classes not in (None, count)
    if head is not None:
        made = head(own.features, classes or count)
        if other or type(made) is not type(own):
            network.head = made
    elif other:
        raise InputError(f"{name} has {count} classes, not {classes}")
    return network


def load_model(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: int | None = None,
    size: int | None = None,
    width: float | None = None,
    seed: int = 0,
    head: HeadFactory | None = None,
) -> nn.Module:
    """Make a classifier, images in [0, 1] to logits, in eval mode.

    A model of `FILE.py:FUNCTION` keeps the mode in which the function returns it.

    Args:
        name: A built-in name (`models()`), `torchvision:NAME`, `timm:NAME`, `robustbench:NAME`
            or `FILE.py:FUNCTION`, which is called with `weights=` if it takes that, else
            without arguments.
        weights: A .safetensors, .pt, .pth or .th file, or the folder of a training run.
            Without them a built-in model is untrained, a library's has its published ones.
            Those that `save_weights` wrote of a `Network` go into what `build` makes.
        classes: Number of classes, by default those of the weights.
        mean: Mean of each channel, in pixel units, by default that of the weights or model.
        std: Standard deviation of each channel, in pixel units.
        channels: Channels of an image, by default those of the weights; built-in models only.
        size: Height and width of an image, in pixels; built-in models only.
        width: Multiplies the number of channels of every layer, by default as the weights say;
            built-in models only.
        seed: Seed of what the weights leave random.
        head: Makes the last layer from the numbers of features and of classes; by default
            the one the weights name; built-in models only.

    Raises:
        InputError: If the model or file is unknown, damaged, or they do not fit (one line).
        SystemFaultError: If a file may not be read, or a download fails.
    """
    asked: dict[str, Any] = {
        "classes": classes,
        "channels": channels,
        "size": size,
        "mean": mean,
        "std": std,
        "width": width,
        "head": head,
    }
    if _is_external(name):
        if head is not None or width not in (None, 1):
            raise InputError(f"{name} has layers of its own: leave head and width out")
        stored = _of_network(name, weights)
        if stored is None:
            return load_external(
                name, weights=weights, classes=classes, mean=mean, std=std, seed=seed
            )
    elif weights is None:
        return build(name, seed=seed, **asked).eval()
    else:
        stored = read_weights(weights)
        stored = replace(stored, tensors={_ours(key): v for key, v in stored.tensors.items()})
    agreed = _agreed(asked, stored)
    if head is None:
        agreed["head"] = named_head(stored, or_none=_is_external(name))
    network = build(name, seed=seed, **agreed)
    fill(network, stored)
    network.adaptive_losses = adaptive_losses(stored)
    return network.eval()


def _is_external(name: str) -> bool:
    return ":" in name or name.endswith(".py")


def _of_network(name: str, weights: str | Path | None) -> Weights | None:
    """Weights that were saved of a `Network`, unless a function of a file must read them."""
    if weights is None or needs_weights(name):
        return None
    if weights_file(weights).suffix != ".safetensors":
        return None
    stored = read_weights(weights)
    return stored if "head" in stored.about else None


def _builders() -> dict[str, Callable[..., Network]]:
    """Each model's name with the function of that name that makes it."""
    found: dict[str, Callable[..., Network]] = {}
    for file in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{file.name}")
        for name, function in getmembers(module, isfunction):
            here = function.__module__ == module.__name__ != __name__
            if here and not name.startswith("_") and _makes_network(function):
                found[name] = function
    return found


def _makes_network(function: Callable[..., Any]) -> bool:
    """Whether it returns a `Network` and takes nothing but keywords."""
    takes = signature(function).parameters.values()
    only_keywords = all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in takes)
    return only_keywords and signature(function).return_annotation is Network


def _ours(key: str) -> str:
    """Name in a published file -> name in a `Network`, which has `features` and `head`."""
    layer, _, leaf = key.rpartition(".")
    if key.startswith(("features.", "head.")):
        return key
    return f"head.linear.{leaf}" if layer in LAST_LAYERS else f"features.{key}"


def _agreed(asked: dict[str, Any], stored: Weights) -> dict[str, Any]:
    """What is asked for, completed by what the weights say; they must not contradict it."""
    agreed = dict(asked)
    for key, fact in facts(stored).items():
        if agreed[key] is None:
            agreed[key] = fact
        elif key != "size" and not torch.equal(
            torch.tensor(agreed[key]).float(), torch.tensor(fact).float()
        ):
            raise InputError(
                f"weights {stored.source}: made with {key}={fact}, not {agreed[key]}"
            )
    return agreed
