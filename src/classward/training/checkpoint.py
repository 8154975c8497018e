"""Checkpoints: all that a stopped training needs to go on as if it had not stopped.

A checkpoint is a safetensors file named after its SHA-256, written first, and a JSON file that
points to it, replaced last. `last.json` and `best.json` may point to the same file. Nothing is
ever overwritten in place, so there is a whole checkpoint at every moment.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.global_random import random_states, set_random_states
from classward.models.network import Network
from classward.records.run_folder import RunFolder
from classward.records.sealed import digest
from classward.training.step import Step

Parts = dict[str, dict[str, Any]]
TENSORS = ("weights", "buffers", "optimizer", "average", "order", "counts", "torch_random")
PLAIN = ("schedule", "position", "log", "python_random", "numpy_random")


@dataclass(kw_only=True)
class State:
    """A training between two steps.

    Attributes:
        step: Network and defense.
        optimizer: Its optimiser.
        average: Network of the averaged weights, if weights are averaged.
        order: Order of the training images in this epoch.
        counts: Training adversaries of this epoch so far, by label and prediction.
        epoch: Epochs completed.
        position: Batches of this epoch completed.
        steps: Optimiser steps completed.
        sums: Loss terms of this epoch, summed over its images so far.
        score: Accuracy by which the best epoch was chosen, none before the first.
        history: One row for each epoch completed.
        best: Network state of the best epoch; on disk, the checkpoint of that name.
    """

    step: Step
    optimizer: torch.optim.Optimizer
    average: Network | None
    order: Int64[Tensor, " n"]
    counts: Int64[Tensor, "k k"]
    epoch: int = 0
    position: int = 0
    steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def judged(self) -> Network:
        """The network that is measured and returned."""
        return self.step.network if self.average is None else self.average


def parts(state: State) -> Parts:
    """The state by parts, each of tensors or of plain JSON values."""
    trained = dict(state.step.named_parameters())
    module = state.step.state_dict()
    momenta = state.optimizer.state_dict()["state"]
    return {
        "weights": {name: rows for name, rows in module.items() if name in trained},
        "buffers": {name: rows for name, rows in module.items() if name not in trained},
        "optimizer": {
            f"{index}.{name}": rows
            for index, entry in momenta.items()
            for name, rows in entry.items()
            if rows is not None
        },
        "average": {} if state.average is None else state.average.state_dict(),
        "order": {"order": state.order},
        "counts": {"counts": state.counts},
        "schedule": {"steps": state.steps},
        "position": {"epoch": state.epoch, "position": state.position},
        "log": {"sums": state.sums, "score": state.score, "history": state.history},
    } | random_states(_device(state))


def restore(state: State, found: Parts) -> None:
    """Set `state` and the global generators to what `parts` returned.

    Raises:
        InputError: If a part is absent or does not fit the network.
    """
    if absent := sorted({*TENSORS, *PLAIN} - found.keys()):
        raise InputError(f"checkpoint lacks the part '{absent[0]}'")
    fill(state.step, found["weights"] | found["buffers"])
    if state.average is not None:
        fill(state.average, found["average"])
    momenta: dict[int, dict[str, Tensor]] = {}
    for key, rows in found["optimizer"].items():
        index, _, name = key.partition(".")
        momenta.setdefault(int(index), {})[name] = rows
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": momenta, "param_groups": groups})
    for weight, momentum in state.optimizer.state.items():  # laid out alike in memory
        for name, rows in momentum.items():
            momentum[name] = torch.empty_like(weight).copy_(rows)
    state.order, state.counts = found["order"]["order"], found["counts"]["counts"]
    state.steps = found["schedule"]["steps"]
    state.epoch, state.position = found["position"]["epoch"], found["position"]["position"]
    log = found["log"]
    state.sums, state.score, state.history = log["sums"], log["score"], log["history"]
    set_random_states(found, _device(state))


def save(folder: RunFolder, state: State, names: Collection[str]) -> None:
    """Write the state and point `names`, of "best" and "last", to it."""
    found = parts(state)
    tensors = {
        f"{part}/{name}": rows.detach().cpu().contiguous()
        for part in TENSORS
        for name, rows in found[part].items()
    }
    data = safetensors.torch.save(tensors)
    checksum = sha256(data).hexdigest()
    file = f"checkpoint-{checksum[:16]}.safetensors"
    content = {"file": file, "sha256": checksum} | {name: found[name] for name in PLAIN}
    folder.write(file, data)
    for name in names:
        folder.write_json(f"{name}.json", {"content": content, "digest": digest(content)})
    sweep(folder)


def read(folder: RunFolder, name: str) -> Parts:
    """Parts of the checkpoint `name`, "best" or "last".

    Raises:
        InputError: If one of its two files is absent or damaged; the file is named.
    """
    content = _content(folder, name)
    path = folder.path / content["file"]
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not there, but {name}.json points to it") from None
    if sha256(data).hexdigest() != content["sha256"]:
        raise InputError(f"{path}: damaged, its SHA-256 differs; bring back a copy of it")
    found: Parts = {part: {} for part in TENSORS} | {part: content[part] for part in PLAIN}
    for key, rows in safetensors.torch.load(data).items():
        part, _, tensor = key.partition("/")
        found[part][tensor] = rows
    return found


def sweep(folder: RunFolder) -> None:
    """Remove the checkpoints that nothing points to."""
    pointers = [path for path in folder.path.glob("*.json") if path.stem in ("best", "last")]
    kept = {_content(folder, path.stem)["file"] for path in pointers}
    for path in folder.path.glob("checkpoint-*.safetensors"):
        if path.name not in kept:
            path.unlink()


def network_state(found: Parts) -> dict[str, Tensor]:
    """State of the network that is judged: of the averaged weights if there are any."""
    module, prefix = found["weights"] | found["buffers"], "network."
    own = {name: rows for name, rows in module.items() if name.startswith(prefix)}
    return found["average"] or {name.removeprefix(prefix): own[name] for name in own}


def _content(folder: RunFolder, name: str) -> dict[str, Any]:
    pointer = folder.read_json(f"{name}.json")
    try:
        whole = pointer["digest"] == digest(pointer["content"])
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        path = folder.path / f"{name}.json"
        raise InputError(f"{path}: damaged, its digest differs; bring back a copy of it")
    return pointer["content"]


def fill(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Load a whole state.

    Raises:
        InputError: If a name or a shape differs.
    """
    expected = module.state_dict()
    wrong = sorted(expected.keys() ^ state.keys()) + [
        name
        for name in expected.keys() & state.keys()
        if expected[name].shape != state[name].shape
    ]
    if wrong:
        raise InputError(f"checkpoint does not fit the network: '{wrong[0]}' differs")
    module.load_state_dict(state)


def _device(state: State) -> torch.device:
    return next(state.step.parameters()).device
