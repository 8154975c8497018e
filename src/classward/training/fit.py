"""The only loop over images.

Every batch is a function of the seed, the epoch and the sample ids, so a training that was
stopped goes on bit for bit. The last, smaller batch of an epoch is trained on as it is; if it
has fewer than two images for each process, it joins the batch before it.
"""

import json
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.core.confusion import confusion
from classward.core.types import Attack
from classward.training import checkpoint
from classward.training.average import follow
from classward.training.checkpoint import State
from classward.training.collapse import after_collapse, collapsed, go_back, takes_one_step
from classward.training.fault import check_finite, moment
from classward.training.measure import accuracy_under, measure, summed, training_row
from classward.training.processes import keep_alike, share
from classward.training.schedule import attack_at, epoch_order, learning_rate
from classward.training.task import Task


def fit(state: State, task: Task) -> None:
    """Train until the recipe's epochs are done, wherever `state` stands.

    Raises:
        InputError: If a loss or a gradient is not finite; the last checkpoint is kept.
        InvariantError: If the weights of several processes drift apart.
    """
    total = task.recipe.epochs * len(task.batches(state.order))
    module, optimizer = task.fabric.setup(state.step, state.optimizer)
    tell = task.progress or (lambda done, all_: None)
    tell(state.steps, total)
    while state.epoch < task.recipe.epochs:
        if _collapsed(state):
            if task.recipe.on_collapse == "stop":
                return
            go_back(state)
        module.train()
        for positions in task.batches(state.order)[state.position :]:
            _step(state, task, module, optimizer, positions, state.steps / total)
            tell(state.steps, total)
            every = task.recipe.checkpoint_every
            if every and state.steps % every == 0:
                _save(state, task)
        _close_epoch(state, task)


def _collapsed(state: State) -> bool:
    """Whether the epoch before this one, which has not begun, collapsed."""
    return not state.position and bool(state.history) and "collapsed" in state.history[-1]


def _attack(state: State, task: Task) -> Attack | None:
    happened = any("collapsed" in row for row in state.history)
    return after_collapse(task.attack, happened=happened)


def _step(
    state: State,
    task: Task,
    module: Any,
    optimizer: Any,
    positions: Int64[Tensor, " n"],
    progress: float,
) -> None:
    fabric, before = task.fabric, moment(state, progress)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(task.recipe, progress)
    state.step.defense.attack = attack_at(task.recipe, _attack(state, task), progress)
    own, weight = share(positions, fabric)
    batch = task.batch(own, state.epoch, state.steps)
    optimizer.zero_grad()
    terms: dict[str, Tensor] = module(batch)
    loss = weight * torch.stack([*terms.values()]).sum()
    fabric.backward(loss)
    gradients = [p.grad for p in state.step.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    mean = fabric.all_reduce(loss.detach().clone(), reduce_op="mean")
    check_finite(state, task, positions, before, (mean, norm))
    if task.recipe.clip:
        torch.nn.utils.clip_grads_with_norm_(state.step.parameters(), task.recipe.clip, norm)
    optimizer.step()
    state.position, state.steps = state.position + 1, state.steps + 1
    for name, term in terms.items():
        state.sums[name] = state.sums.get(name, 0.0) + len(own) * term.item()
    if (predicted := state.step.predicted) is not None and state.step.defense.attacked:
        state.counts += confusion(batch.labels, predicted, len(state.counts)).cpu()
    if state.average is not None:
        follow(state.average, state.step.network, task.recipe.ema, state.steps)


def _close_epoch(state: State, task: Task) -> None:
    keep_alike(state, task.fabric)
    _pool(state, task)
    row = _row(state, task)
    score = row.get(task.chosen_by)
    better = score is None or state.score is None or score >= state.score
    if better:
        state.score = score
        state.best = {name: rows.clone() for name, rows in state.judged.state_dict().items()}
    state.history.append(row)
    state.epoch, state.position, state.sums = state.epoch + 1, 0, {}
    state.counts = torch.zeros_like(state.counts)
    state.order = epoch_order(task.seed, state.epoch, len(task.data))
    if task.folder is not None:
        lines = [json.dumps(row, allow_nan=False) + "\n" for row in state.history]
        task.folder.write("log.jsonl", "".join(lines).encode())
        checkpoint.save(task.folder, state, ["best", "last"] if better else ["last"])
    if task.told is not None:
        task.told(row)


def _row(state: State, task: Task) -> dict[str, Any]:
    """What this epoch is remembered by."""
    terms = {name: value / len(task.data) for name, value in state.sums.items()}
    row = {"epoch": state.epoch + 1, "loss": terms} | state.step.defense.log()
    row |= training_row(state.counts, state.history)
    if task.held_out is None:
        return row
    row |= measure(state.judged, task.held_out, task)
    attack = _attack(state, task)
    if attack is None or not takes_one_step(attack) or task.recipe.on_collapse == "ignore":
        return row
    under = accuracy_under(attack, state.judged, task.held_out, task)
    row["training_attack_accuracy"] = under
    return row | {"collapsed": True} if collapsed(row, state.history) else row


def _save(state: State, task: Task) -> None:
    """Save within an epoch; the first process takes over what the others have counted."""
    _pool(state, task)
    if task.fabric.global_rank:
        clear(state)
    if task.folder is not None:
        checkpoint.save(task.folder, state, ["last"])


def clear(state: State) -> None:
    """Forget what this process has counted of the epoch, for another has it."""
    state.sums = dict.fromkeys(state.sums, 0.0)
    state.counts = torch.zeros_like(state.counts)


def _pool(state: State, task: Task) -> None:
    """Add up what the processes have counted of the epoch."""
    sums = torch.tensor([*state.sums.values()], dtype=torch.float64)
    sums, state.counts = summed([sums, state.counts], task.fabric)
    state.sums = dict(zip(state.sums, sums.tolist(), strict=True))
