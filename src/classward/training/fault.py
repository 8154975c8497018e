"""A loss or gradient that is not finite, and the bundle that shows it again.

The bundle is two files of the run folder: `fault.safetensors`, the batch and what the network,
the defense and PyTorch's generators held before the step, and `fault.json`, the other
generators, the seed and where the training stood.
"""

from typing import Any

import safetensors.torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.global_random import random_states
from classward.training.checkpoint import State
from classward.training.task import Task

FAULT, TENSORS = "fault.json", "fault.safetensors"
Moment = dict[str, dict[str, Any]]


def moment(state: State, progress: float) -> Moment:
    """What a step changes before its loss is known, and the share of the steps before it."""
    device = next(state.step.parameters()).device
    buffers = {name: rows.clone() for name, rows in state.step.named_buffers()}
    collapsed = any("collapsed" in row for row in state.history)
    schedule = {"progress": progress, "collapsed": collapsed}
    return {"buffers": buffers, "schedule": schedule} | random_states(device)


def check_finite(
    state: State,
    task: Task,
    positions: Int64[Tensor, " n"],
    before: Moment,
    numbers: tuple[Float[Tensor, ""], Float[Tensor, ""]],
) -> None:
    """Refuse to go on with a mean loss or a norm of the gradients that is not finite.

    Args:
        state: The training, whose weights are still those before the step.
        task: What it is asked to do; into its folder the bundle goes.
        positions: Of the images of the step, of all processes.
        before: The moment before the step.
        numbers: Loss and norm.

    Raises:
        InputError: If one is not finite; the last checkpoint is kept.
    """
    loss, norm = numbers
    if (loss + norm).isfinite():
        return
    what = "loss" if not loss.isfinite() else "gradient"
    epoch, step, ids = state.epoch + 1, state.steps + 1, task.data.ids[positions].tolist()
    kept = ""
    if task.folder is not None:
        _write(state, task, positions, before)
        about = {"what": what, "epoch": epoch, "step": step, "ids": ids, "seed": task.seed}
        about |= {"classes": len(state.counts)}
        about |= {name: before[name] for name in ("schedule", "python_random", "numpy_random")}
        task.folder.write_json(FAULT, about)
        kept = f"; {FAULT} replays it"
    some = ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "")
    raise InputError(
        f"{what} is not finite in epoch {epoch}, step {step}, samples {some}: "
        f"lower learning_rate or raise warm_up{kept}"
    )


def _write(state: State, task: Task, positions: Int64[Tensor, " n"], before: Moment) -> None:
    assert task.folder is not None
    batch = task.batch(positions, state.epoch, state.steps)
    whole = state.step.state_dict()
    buffers = {name: rows for name, rows in before["buffers"].items() if name in whole}
    parts = {
        "step": whole | buffers,
        "batch": {"images": batch.images, "labels": batch.labels, "ids": batch.ids},
        "torch_random": before["torch_random"],
    }
    tensors = {
        f"{part}/{name}": rows.detach().cpu().contiguous()
        for part, found in parts.items()
        for name, rows in found.items()
    }
    task.folder.write(TENSORS, safetensors.torch.save(tensors))
