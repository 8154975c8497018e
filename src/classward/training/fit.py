"""The only loop over images.

Every batch is a function of the seed, the epoch and the sample ids, so a training that was
stopped goes on bit for bit. The last, smaller batch of an epoch is trained on as it is; if it
is a single image, it joins the batch before it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.confusion import confusion
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images, Labels
from classward.data.split import Split
from classward.defenses.base import Batch
from classward.models.network import Network, evaluating
from classward.records.run_folder import RunFolder
from classward.training import checkpoint
from classward.training.augment import augmented
from classward.training.average import follow
from classward.training.checkpoint import State
from classward.training.schedule import Recipe, batches, epoch_order, learning_rate, warmed

Progress = Callable[[int, int], None]  # optimiser steps done, steps in all


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a training is asked to do.

    Attributes:
        recipe: How long and how fast.
        data: Images to train on.
        held_out: Images to choose the best epoch by, if any.
        attack: Makes the training images, at full radius; none for clean training.
        judge: Attack whose robust accuracy is measured, if any.
        chosen_by: The accuracy that chooses the best epoch.
        seed: Seed of the run.
        fabric: A `lightning_fabric.Fabric`: device and precision.
        folder: Where checkpoints and the log go, if anywhere.
        progress: Called after each step.
    """

    recipe: Recipe
    data: Split
    held_out: Split | None
    attack: Attack | None
    judge: Attack | None
    chosen_by: Literal["clean_accuracy", "robust_accuracy"]
    seed: int
    fabric: Any
    folder: RunFolder | None = None
    progress: Progress | None = None


def fit(state: State, task: Task) -> None:
    """Train until the recipe's epochs are done, wherever `state` stands.

    Raises:
        InputError: If a loss or a gradient is not finite; the last checkpoint is kept.
    """
    recipe = task.recipe
    total = recipe.epochs * len(batches(state.order, recipe.batch_size))
    module, optimizer = task.fabric.setup(state.step, state.optimizer)
    while state.epoch < recipe.epochs:
        module.train()
        for positions in batches(state.order, recipe.batch_size)[state.position :]:
            _set_schedule(state, task, progress=state.steps / total)
            _step(state, task, module, optimizer, _batch(state, task, positions))
            if task.progress is not None:
                task.progress(state.steps, total)
            if recipe.checkpoint_every and state.steps % recipe.checkpoint_every == 0:
                _save(state, task, ["last"])
        _close_epoch(state, task)


def _set_schedule(state: State, task: Task, progress: float) -> None:
    recipe = task.recipe
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, progress)
    attack = task.attack
    if attack is not None and progress < recipe.warm_up:
        attack = warmed(attack, progress / recipe.warm_up)
    state.step.defense.attack = attack


def _batch(state: State, task: Task, positions: Int64[Tensor, " n"]) -> Batch:
    data, device = task.data, task.fabric.device
    ids, images = data.ids[positions], data.batch(positions).to(device)
    if task.recipe.augment:
        images = augmented(images, SampleRandom(task.seed, "augment", ids, state.epoch))
    return Batch(
        images=images,
        labels=data.labels[positions].to(device),
        ids=ids,
        adversarial=images,
        epoch=state.epoch,
        step=state.steps,
        rng=SampleRandom(task.seed, "train", ids, state.epoch),
    )


def _step(state: State, task: Task, module: Any, optimizer: Any, batch: Batch) -> None:
    optimizer.zero_grad()
    terms: dict[str, Tensor] = module(batch)
    loss = torch.stack([*terms.values()]).sum()
    task.fabric.backward(loss)
    gradients = [p.grad for p in state.step.parameters() if p.grad is not None]
    _check_finite(state, task, batch, loss.detach(), torch.nn.utils.get_total_norm(gradients))
    optimizer.step()
    state.position, state.steps = state.position + 1, state.steps + 1
    for name, term in terms.items():
        state.sums[name] = state.sums.get(name, 0.0) + len(batch.ids) * term.item()
    if state.average is not None:
        follow(state.average, state.step.network, task.recipe.ema, state.steps)


def _check_finite(
    state: State, task: Task, batch: Batch, loss: Float[Tensor, ""], norm: Float[Tensor, ""]
) -> None:
    if (loss + norm).isfinite():
        return
    what = "loss" if not loss.isfinite() else "gradient"
    epoch, step, ids = state.epoch + 1, state.steps + 1, batch.ids.tolist()
    kept = ""
    if task.folder is not None:
        task.folder.write_json("fault.json", {"epoch": epoch, "step": step, "ids": ids})
        kept = "; checkpoints are kept"
    some = ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "")
    raise InputError(
        f"{what} is not finite in epoch {epoch}, step {step}, samples {some}: "
        f"lower learning_rate or raise warm_up{kept}"
    )


def _close_epoch(state: State, task: Task) -> None:
    measured = {} if task.held_out is None else measure(state.judged, task.held_out, task)
    terms = {name: value / len(task.data) for name, value in state.sums.items()}
    state.history.append({"epoch": state.epoch + 1, "loss": terms} | measured)
    score = measured.get(task.chosen_by)
    better = score is None or state.score is None or score >= state.score
    if better:
        state.score = score
        state.best = {name: rows.clone() for name, rows in state.judged.state_dict().items()}
    state.epoch, state.position, state.sums = state.epoch + 1, 0, {}
    state.order = epoch_order(task.seed, state.epoch, len(task.data))
    if task.folder is not None:
        lines = [json.dumps(row, allow_nan=False) + "\n" for row in state.history]
        task.folder.write("log.jsonl", "".join(lines).encode())
    _save(state, task, ["best", "last"] if better else ["last"])


def _save(state: State, task: Task, names: list[str]) -> None:
    if task.folder is not None:
        checkpoint.save(task.folder, state, names)


def measure(network: Network, data: Split, task: Task) -> dict[str, Any]:
    """Accuracy on `data`, clean and, if there is a judge, of its final iterates.

    `confusion` counts the final iterates as [label, prediction, images], errors alone.
    """
    right, robust = 0, 0
    counts = torch.zeros(data.classes, data.classes, dtype=torch.int64)
    with evaluating(network):
        for positions in torch.arange(len(data)).split(task.recipe.batch_size):
            images = data.batch(positions).to(task.fabric.device)
            labels = data.labels[positions]
            correct = _predicted(network, images) == labels
            right += int(correct.sum())
            if task.judge is not None:
                rng = SampleRandom(task.seed, "validation", data.ids[positions])
                attacked = task.judge(network, images, labels.to(images.device), rng=rng)
                predicted = _predicted(network, attacked)
                robust += int((correct & (predicted == labels)).sum())
                counts += confusion(labels, predicted, data.classes)
    if task.judge is None:
        return {"clean_accuracy": right / len(data)}
    errors = counts.fill_diagonal_(0).nonzero()
    return {
        "clean_accuracy": right / len(data),
        "robust_accuracy": robust / len(data),
        "confusion": [[i, j, int(counts[i, j])] for i, j in errors.tolist()],
    }


@torch.no_grad()
def _predicted(network: Network, images: Images) -> Labels:
    return network(images).argmax(dim=1).cpu()
