"""Training a network with a defense: `classward.train`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from classward.core.errors import InputError
from classward.core.global_random import global_random
from classward.core.types import Attack, Precision
from classward.data.split import Split
from classward.defenses.base import Defense
from classward.models.network import Layout, Network
from classward.models.weights import RUN_FILE, save_weights, tensors_digest
from classward.records.run_folder import RunFolder
from classward.training.checkpoint import State, network_state, read, restore, sweep
from classward.training.fit import clear, fit
from classward.training.prepare import chosen_attack, first_network, hold_out, judge
from classward.training.processes import losing_no_process, open_fabric
from classward.training.schedule import Recipe, epoch_order
from classward.training.step import Step
from classward.training.task import Progress, Task

MOMENTUM = 0.9
LAST_FILE = "last.safetensors"  # beside the weights of the best epoch


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A finished training; both networks are on the CPU and in eval mode.

    Attributes:
        best: Network of the epoch with the highest accuracy on the held-out images, robust
            accuracy where the defense trains on attacked images; of equals the latest.
        last: Network of the last epoch.
        history: One row for each epoch: mean loss terms, held-out accuracies, and what else
            the defense logs, such as the pairs it found.
        best_epoch: Number of the best epoch, from 1.
        path: The run folder, if there is one.
    """

    best: Network
    last: Network
    history: list[dict[str, Any]]
    best_epoch: int
    path: Path | None

    def accuracies(self) -> dict[str, dict[str, float]]:
        """Held-out accuracies of "best" and "last"; how much they differ is overfitting."""
        rows = {"best": self.history[self.best_epoch - 1], "last": self.history[-1]}
        names = ("clean_accuracy", "robust_accuracy")
        return {
            which: {name: row[name] for name in names if name in row}
            for which, row in rows.items()
        }


def train(
    defense: Defense,
    model: str | nn.Module,
    data: Split,
    *,
    layout: Layout | None = None,
    attack: Attack | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: Precision = "exact",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    patience: float = 600.0,
    progress: Progress | None = None,
    told: Callable[[dict[str, Any]], None] | None = None,
) -> TrainingRun:
    """Train a copy of `model` with a copy of `defense`; neither argument is changed.

    Started by `torchrun`, the processes share each batch; see `training.processes`.

    Args:
        defense: What to train for.
        model: A name that `load_model` takes, for first weights drawn from the seed, or a
            network to start from. Its last layer is replaced if the defense wants one of
            another class.
        data: A training split; some of it is held out to choose the best epoch.
        layout: What the data do not say of a model that is named, such as {"width": 0.25}.
        attack: Makes the training images; by default the defense's own, else `PGD()`. A
            defense without attack is only measured by it.
        recipe: How long and how fast; `Recipe()` by default.
        seed: Seed of first weights, order, augmentation, attacks and global generators.
        device: "cpu", "cuda", "cuda:1" or "mps".
        precision: "fast" runs the layers of each step in bfloat16 where that is safe.
        out: Folder for checkpoints, log and weights; in memory by default.
        resume: Go on with the run in `out`; on a CPU, bit for bit.
        overwrite: Replace the run in `out`.
        patience: Seconds after which a process that waits for another one gives up.
        progress: Called after each step with the steps done and the steps in all.
        told: Called after each epoch with its row of the history, as `board(out)` is.

    Raises:
        InputError: If the arguments do not fit each other, a checkpoint is damaged, or a loss
            or gradient is not finite.
        SystemFaultError: If the device is absent, the folder cannot be written, or another
            process of the training is lost.
    """
    if resume and out is None:
        raise InputError("resume needs the folder of the run: pass out=")
    recipe, attack = recipe or Recipe(), chosen_attack(attack, defense)
    fabric = open_fabric(device, precision, patience)
    with global_random(seed, fabric.device), losing_no_process():
        defense = deepcopy(defense)
        network = first_network(model, defense, data, seed, layout or {})
        network.adaptive_losses = defense.adaptive_losses
        step = Step(network, defense)
        asked = asdict(recipe) | {"seed": seed, "device": device, "precision": precision}
        asked |= {"model": model if isinstance(model, str) else "network"}
        asked |= {"layout": dict(layout or {})}
        asked |= _given(step, data, attack) | _machine(fabric)
        held_out, kept = hold_out(data, recipe.validation, seed)
        with _opened(out, asked, fabric, resume=resume, overwrite=overwrite) as folder:
            task = Task(
                recipe=recipe,
                data=kept,
                held_out=held_out,
                attack=attack if defense.attacked else None,
                judge=judge(attack),
                chosen_by="robust_accuracy" if defense.attacked else "clean_accuracy",
                seed=seed,
                fabric=fabric,
                folder=folder,
                progress=progress if fabric.global_rank == 0 else None,
                told=told if fabric.global_rank == 0 else None,
            )
            state = _state(step, task, mixed=precision == "fast")
            fit(state, task)
            about = {"model": asked["model"], "channels": data.shape[0], "size": data.shape[-1]}
            return _finished(state, task, about, out)


@contextmanager
def _opened(
    out: str | Path | None, asked: dict[str, Any], fabric: Any, *, resume: bool, overwrite: bool
) -> Iterator[RunFolder | None]:
    """The run folder, for the first process alone."""
    if out is None or fabric.global_rank:
        yield None
        return
    with RunFolder.create(out, "train", asked, resume=resume, overwrite=overwrite) as folder:
        yield folder


def _given(step: Step, data: Split, attack: Attack | None) -> dict[str, Any]:
    return {
        "defense": repr(step.defense),
        "attack": repr(attack),
        "first_weights": tensors_digest(step.state_dict()),
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
    }


def _machine(fabric: Any) -> dict[str, Any]:
    """What trained weights depend on besides: on another machine they come out different."""
    return {
        "processes": fabric.world_size,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "onednn": torch.backends.mkldnn.is_available(),
    }


def _state(step: Step, task: Task, *, mixed: bool) -> State:
    """The state to start from: the last checkpoint of the folder, if there is one."""
    step.to(task.fabric.device)
    if mixed or task.fabric.device.type == "cpu":  # where convolutions gain by it
        step.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    recipe, classes = task.recipe, task.data.classes
    state = State(
        step=step,
        optimizer=torch.optim.SGD(
            step.parameters(),
            lr=recipe.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=recipe.weight_decay,
            fused=True,
        ),
        average=deepcopy(step.network).eval() if recipe.ema else None,
        order=epoch_order(task.seed, 0, len(task.data)),
        counts=torch.zeros(classes, classes, dtype=torch.int64),
    )
    _take_up(state, task)
    return state


def _take_up(state: State, task: Task) -> None:
    """Go on from the last checkpoint, if there is one; the first process tells the others."""
    folder, fabric, found, best = task.folder, task.fabric, None, {}
    if folder is not None and (folder.path / "last.json").exists():
        found = read(folder, "last")
        if (folder.path / "best.json").exists():
            best = network_state(read(folder, "best"))
        sweep(folder)
    found, state.best = fabric.broadcast((found, best))
    if found is None:
        return
    restore(state, found)
    if fabric.global_rank:
        clear(state)


def _finished(
    state: State, task: Task, about: dict[str, Any], out: str | Path | None
) -> TrainingRun:
    state.judged.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    best, last = deepcopy(state.judged).cpu().eval(), deepcopy(state.judged).cpu().eval()
    best.load_state_dict(state.best)
    if task.folder is not None:
        task.folder.write(LAST_FILE, save_weights(last, about))
        task.folder.write(RUN_FILE, save_weights(best, about))  # last: now the run is complete
    scores = [row.get(task.chosen_by, 0.0) for row in state.history]
    return TrainingRun(
        best=best,
        last=last,
        history=state.history,
        best_epoch=max(range(len(scores)), key=lambda epoch: (scores[epoch], epoch)) + 1,
        path=None if out is None else Path(out),
    )
