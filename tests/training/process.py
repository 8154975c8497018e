"""One process of a training by several, as the command line runs it.

A program of its own: `process.py FOLDER HOW STEP ARGUMENT...` writes a digest of its weights to
FOLDER after every epoch, and dies, ends or hangs before a step if HOW says so.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from classward.cli.main import main
from classward.models.weights import tensors_digest
from classward.training import fit

RANK = os.environ.get("RANK", "0")
LOSSES = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "ended": lambda: os._exit(1),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def with_digests(folder):
    close = fit.keep_alike

    def keep_alike(state, fabric):
        close(state, fabric)
        with (folder / f"digests-{RANK}").open("a") as file:
            file.write(tensors_digest(state.step.state_dict()) + "\n")

    fit.keep_alike = keep_alike


def losing(how, at):
    step = fit._step

    def until_lost(state, *arguments):
        if state.steps == at:
            LOSSES[how]()
        step(state, *arguments)

    fit._step = until_lost


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, how, at, *arguments = sys.argv[1:]
    with_digests(Path(folder))
    if how in LOSSES and RANK == "1":
        losing(how, int(at))
    main(arguments)
