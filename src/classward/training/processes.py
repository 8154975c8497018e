"""Several processes of one training, one device each, started by `torchrun`.

Each takes every n-th image of a batch, and its loss counts as its share of the images, so that
the averaged gradient is that of the whole batch. Batch norm normalises each share by itself;
the running statistics are those of the first process. The first process alone writes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.core.errors import InputError, InvariantError, SystemFaultError
from classward.core.processes import together
from classward.core.types import Precision
from classward.models.weights import tensors_digest
from classward.training.checkpoint import State

BITS: dict[Precision, Any] = {"exact": "32-true", "fast": "bf16-mixed"}  # as Fabric says it
WORDS = ("gloo", "NCCL", "Connection closed", "Connection reset", "Timed out")  # of torch


def open_fabric(device: str, precision: Precision, patience: float) -> Any:
    """A `lightning_fabric.Fabric` on the device, joined to the other processes if there are.

    Args:
        device: "cpu", "cuda", "cuda:1" or "mps".
        precision: "exact" is float32, "fast" mixed with bfloat16.
        patience: Seconds after which a process that waits for another gives up.

    Raises:
        InputError: If there is no device of that form, one is numbered for many processes,
            or the precision is not known.
        SystemFaultError: If the device is absent, or a process does not come.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdecimal()):
        raise InputError(f"device '{device}': expected cpu, cuda, cuda:N or mps")
    if precision not in BITS:
        raise InputError(f"precision {precision!r}: expected 'exact' or 'fast'")
    processes = together()
    chosen: dict[str, Any] = {"devices": [int(index)] if index and kind != "cpu" else 1}
    if processes > 1:
        if index:
            raise InputError(f"device '{device}': each process takes its own: use '{kind}'")
        here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
        strategy = DDPStrategy(timeout=timedelta(seconds=patience))
        chosen = {"devices": here, "num_nodes": processes // here, "strategy": strategy}
    try:
        fabric = Fabric(accelerator=kind, precision=BITS[precision], **chosen)
    except RuntimeError:
        raise SystemFaultError(f"device '{device}' is not there: use device='cpu'") from None
    with losing_no_process():
        fabric.launch()
    return fabric


@contextmanager
def losing_no_process() -> Iterator[None]:
    """Say in one line that another process is gone, or has not answered in time.

    Raises:
        SystemFaultError: If so; the run goes on from its last checkpoint.
    """
    try:
        yield
    except RuntimeError as error:
        if together() == 1 or not _lost(error):
            raise
        raise SystemFaultError(
            f"process {os.environ.get('RANK', '?')}: another process of this training ended or "
            "does not answer; start them all again with --resume"
        ) from None


def _lost(error: RuntimeError) -> bool:
    lost = isinstance(error, torch.distributed.DistError)
    return lost or any(word in str(error) for word in WORDS)


def share(positions: Int64[Tensor, " n"], fabric: Any) -> tuple[Int64[Tensor, " m"], float]:
    """What this process takes of a batch, and the weight of its mean in that of them all."""
    own = positions[fabric.global_rank :: fabric.world_size]
    return own, len(own) * fabric.world_size / len(positions)


def keep_alike(state: State, fabric: Any) -> None:
    """Take over the first process's batch statistics; then all states must be equal.

    Raises:
        InvariantError: If the weights of this process are others than the first one's.
    """
    if fabric.world_size == 1:
        return
    networks = [state.step] if state.average is None else [state.step, state.average]
    for network in networks:
        own = dict(network.named_buffers())
        for name, first in fabric.broadcast(own).items():
            own[name].copy_(first)
        digest = tensors_digest(network.state_dict())
        if fabric.broadcast(digest) != digest:
            raise InvariantError(
                f"process {fabric.global_rank}: weights differ from the first process's after "
                f"epoch {state.epoch + 1}; does a loss work outside the network's forward?"
            )
