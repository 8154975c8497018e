"""Replaying the step at which a training stopped because a number was not finite."""

from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.global_random import global_random, set_random_states
from classward.core.randomness import SampleRandom
from classward.core.types import Attack
from classward.data.split import Split
from classward.defenses.base import Batch, Defense
from classward.models.network import Layout, Network
from classward.records.run_folder import RunFolder
from classward.training.checkpoint import fill
from classward.training.collapse import after_collapse
from classward.training.fault import FAULT, TENSORS
from classward.training.prepare import chosen_attack, first_network
from classward.training.processes import open_fabric
from classward.training.schedule import Recipe, attack_at
from classward.training.step import Step


def replay(
    path: str | Path,
    defense: Defense,
    model: str | nn.Module,
    *,
    attack: Attack | None = None,
) -> dict[str, float]:
    """Take once more the step at which the training in `path` stopped.

    Args:
        path: The run folder; the data are not needed.
        defense: The defense the run was given, as it was given.
        model: The model it was given.
        attack: The attack it was given, if one was.

    Returns:
        Each loss term, and the norm of the "gradient". Of a run of several processes the whole
        batch goes through one, which changes what batch norm sees.

    Raises:
        InputError: If there is no bundle in `path`, or it does not fit the model.
    """
    folder = RunFolder.open(path)
    fault, asked = folder.read_json(FAULT), folder.settings
    parts = _parts(folder.path / TENSORS)
    fabric = open_fabric(asked["device"], asked["precision"], patience=600.0)
    with global_random(fault["seed"], fabric.device):
        defense = deepcopy(defense)
        layout: Layout = asked["layout"] if isinstance(model, str) else {}
        step = Step(_network(model, defense, parts["batch"], fault, layout), defense)
        fill(step, parts["step"])
        defense.attack = _attack(chosen_attack(attack, defense), asked, fault["schedule"])
        module = fabric.setup_module(step.train())
        states = {name: fault[name] for name in ("python_random", "numpy_random")}
        set_random_states(states | {"torch_random": parts["torch_random"]}, fabric.device)
        terms: dict[str, Tensor] = module(_batch(parts["batch"], fault, fabric.device))
        fabric.backward(torch.stack([*terms.values()]).sum())
    gradients = [p.grad for p in step.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    return {name: term.item() for name, term in terms.items()} | {"gradient": norm.item()}


def _parts(path: Path) -> dict[str, dict[str, Tensor]]:
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError):
        raise InputError(f"{path}: absent or damaged; bring back a copy of it") from None
    parts: dict[str, dict[str, Tensor]] = {}
    for key, rows in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = rows
    return parts


def _network(
    model: str | nn.Module,
    defense: Defense,
    batch: dict[str, Tensor],
    fault: dict[str, Any],
    layout: Layout,
) -> Network:
    names = [str(label) for label in range(fault["classes"])]
    like = Split(torch.zeros_like(batch["images"]), batch["labels"], names)
    return first_network(model, defense, like, fault["seed"], layout)


def _attack(
    attack: Attack | None, asked: dict[str, Any], schedule: dict[str, Any]
) -> Attack | None:
    options: Any = {field.name: asked[field.name] for field in fields(Recipe)}
    attack = after_collapse(attack, happened=schedule["collapsed"])
    return attack_at(Recipe(**options), attack, schedule["progress"])


def _batch(found: dict[str, Tensor], fault: dict[str, Any], device: torch.device) -> Batch:
    images, epoch = found["images"].to(device), fault["epoch"] - 1
    return Batch(
        images=images,
        labels=found["labels"].to(device),
        ids=found["ids"],
        adversarial=images,
        epoch=epoch,
        step=fault["step"] - 1,
        rng=SampleRandom(fault["seed"], "train", found["ids"], epoch),
    )
