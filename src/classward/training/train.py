"""Training a network with a defense: `classward.train`."""

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from classward.attacks.pgd import PGD
from classward.core.errors import InputError, SystemFaultError
from classward.core.global_random import global_random
from classward.core.randomness import SampleRandom
from classward.core.types import Attack
from classward.data.split import Split
from classward.defenses.base import Defense
from classward.models.load import build
from classward.models.network import Network
from classward.models.weights import RUN_FILE, save_weights, tensors_digest
from classward.records.run_folder import RunFolder
from classward.training.checkpoint import State, network_state, read, restore, sweep
from classward.training.fit import Progress, Task, fit
from classward.training.schedule import Recipe, epoch_order
from classward.training.step import Step

MOMENTUM = 0.9
JUDGE_STEPS = 10  # of the PGD that chooses the best epoch


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A finished training; both networks are on the CPU and in eval mode.

    Attributes:
        best: Network of the epoch with the highest accuracy on the held-out images, robust
            accuracy where the defense trains on attacked images; of equals the latest.
        last: Network of the last epoch.
        history: One row for each epoch: mean loss terms and held-out accuracies.
        path: The run folder, if there is one.
    """

    best: Network
    last: Network
    history: list[dict[str, Any]]
    path: Path | None


def train(
    defense: Defense,
    model: str | Network,
    data: Split,
    *,
    attack: Attack | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: Literal["32-true", "bf16-mixed"] = "32-true",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TrainingRun:
    """Train a copy of `model` with a copy of `defense`; neither argument is changed.

    Args:
        defense: What to train for.
        model: A built-in name, or a network to start from. Its last layer is replaced if
            the defense wants one of another class.
        data: A training split; some of it is held out to choose the best epoch.
        attack: Makes the training images; by default the defense's own, else `PGD()`. A
            defense without attack is only measured by it.
        recipe: How long and how fast; `Recipe()` by default.
        seed: Seed of first weights, order, augmentation, attacks and global generators.
        device: "cpu", "cuda", "cuda:1" or "mps".
        precision: "bf16-mixed" runs the layers of each step in bfloat16 where that is safe.
        out: Folder for checkpoints, log and weights; in memory by default.
        resume: Go on with the run in `out`; on a CPU, bit for bit.
        overwrite: Replace the run in `out`.
        progress: Called after each step with the steps done and the steps in all.

    Raises:
        InputError: If the arguments do not fit each other, a checkpoint is damaged, or a loss
            or gradient is not finite.
        SystemFaultError: If the device is absent, or the folder cannot be written.
    """
    if resume and out is None:
        raise InputError("resume needs the folder of the run: pass out=")
    recipe, attack = recipe or Recipe(), _chosen(attack, defense)
    fabric = _fabric(device, precision)
    with global_random(seed, fabric.device):
        defense = deepcopy(defense)
        network = _network(model, defense, data, seed)
        network.adaptive_losses = defense.adaptive_losses
        step = Step(network, defense)
        asked = asdict(recipe) | {"seed": seed, "device": device, "precision": precision}
        asked |= {"model": model if isinstance(model, str) else "network"}
        held_out, kept = _hold_out(data, recipe.validation, seed)
        opened = nullcontext(None)
        if out is not None:
            settings = asked | _given(step, data, attack) | _machine()
            opened = RunFolder.create(
                out, "train", settings, resume=resume, overwrite=overwrite
            )
        with opened as folder:
            task = Task(
                recipe=recipe,
                data=kept,
                held_out=held_out,
                attack=attack if defense.attacked else None,
                judge=_judge(attack),
                chosen_by="robust_accuracy" if defense.attacked else "clean_accuracy",
                seed=seed,
                fabric=fabric,
                folder=folder,
                progress=progress,
            )
            state = _state(step, task)
            fit(state, task)
            return _finished(state, folder, {"model": asked["model"], "size": data.shape[-1]})


def _chosen(attack: Attack | None, defense: Defense) -> Attack | None:
    chosen = defense.attack if attack is None else attack
    if chosen is None:
        return PGD() if defense.attacked else None
    if chosen.access != "gradient" or chosen.needs:
        raise InputError(
            f"{type(chosen).__name__} cannot train: it needs an oracle or ingredients; use PGD"
        )
    return chosen


def _fabric(device: str, precision: str) -> Any:
    from lightning_fabric import Fabric

    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdecimal()):
        raise InputError(f"device '{device}': expected cpu, cuda, cuda:N or mps")
    devices = [int(index)] if index and kind != "cpu" else 1
    try:
        return Fabric(accelerator=kind, devices=devices, precision=cast(Any, precision))
    except RuntimeError:
        raise SystemFaultError(f"device '{device}' is not there: use device='cpu'") from None


def _network(model: str | Network, defense: Defense, data: Split, seed: int) -> Network:
    """A copy of the network with the head the defense wants; its other layers as they are."""
    if isinstance(model, str):
        if ":" in model:
            raise InputError(
                f"model '{model}': training starts from a built-in name or a Network"
            )
        channels, size, _ = data.shape
        return build(
            model,
            classes=data.classes,
            channels=channels,
            size=size,
            seed=seed,
            head=defense.head,
        )
    if not isinstance(model, Network):
        raise InputError(
            f"train needs a built-in name or a Network of features and head, got "
            f"{type(model).__name__}: wrap it as Network(features, head)"
        )
    network = deepcopy(model)
    classes = len(network.head.prototypes())
    head = defense.head(network.head.features, data.classes)
    if type(head) is not type(network.head):
        network.head = head
    elif classes != data.classes:
        raise InputError(f"model has {classes} classes, {data.name} has {data.classes}")
    return network


def _hold_out(data: Split, count: int, seed: int) -> tuple[Split | None, Split]:
    """Images to choose the best epoch by, and the others to train on."""
    count = min(count, len(data) // 10)
    order = SampleRandom(seed, "held out", torch.tensor([0])).permutation(len(data))[0]
    if len(data) - count < 2:
        raise InputError(f"{data.name} has {len(data)} image, training needs at least 2")
    held_out = data.select(order[:count].sort().values) if count else None
    return held_out, data.select(order[count:].sort().values)


def _judge(attack: Attack | None) -> Attack | None:
    """PGD in the ball of the training attack; without a ball, the training attack itself."""
    ball = getattr(attack, "ball", None)
    if ball is None or ball.eps == 0:
        return attack
    return PGD(ball=ball, step_size=ball.eps / 4, steps=JUDGE_STEPS)


def _given(step: Step, data: Split, attack: Attack | None) -> dict[str, Any]:
    return {
        "defense": repr(step.defense),
        "attack": repr(attack),
        "first_weights": tensors_digest(step.state_dict()),
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
    }


def _machine() -> dict[str, Any]:
    """What trained weights depend on besides: on another machine they come out different."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "onednn": torch.backends.mkldnn.is_available(),
    }


def _state(step: Step, task: Task) -> State:
    """The state to start from: the last checkpoint of the folder, if there is one."""
    step.to(task.fabric.device)
    recipe, folder = task.recipe, task.folder
    state = State(
        step=step,
        optimizer=torch.optim.SGD(
            step.parameters(),
            lr=recipe.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=recipe.weight_decay,
        ),
        average=deepcopy(step.network).eval() if recipe.ema else None,
        order=epoch_order(task.seed, 0, len(task.data)),
    )
    if folder is not None and (folder.path / "last.json").exists():
        restore(state, read(folder, "last"))
        if (folder.path / "best.json").exists():
            state.best = network_state(read(folder, "best"))
        sweep(folder)
    return state


def _finished(state: State, folder: RunFolder | None, about: dict[str, Any]) -> TrainingRun:
    best, last = deepcopy(state.judged).cpu().eval(), deepcopy(state.judged).cpu().eval()
    best.load_state_dict(state.best)
    if folder is not None:
        folder.write(RUN_FILE, save_weights(best, about))
    path = None if folder is None else folder.path
    return TrainingRun(best=best, last=last, history=state.history, path=path)
