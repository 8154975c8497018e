"""One process of several on one run, as the command line runs it; shards are of 64 samples.

A program of its own: `together.py HOW WHEN ARGUMENT...`, where HOW is what becomes of the
second process once it has committed WHEN shards: "killed", "ended", "stopped"; or "whole".
"""

import os
import signal
import sys
import time

import torch

from classward.cli.main import main
from classward.evaluation import fill
from classward.records import locks, shards

LOSSES = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "ended": lambda: os._exit(1),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def pause():
    """Leave the other enough to do."""
    time.sleep(0.6)


def before_shards(do, first):
    """Do something before each shard from number `first` on, which is claimed by then."""
    make, made = fill._made, []

    def made_after(*arguments):
        if len(made) >= first:
            do()
        made.append(arguments)
        return make(*arguments)

    fill._made = made_after


if __name__ == "__main__":
    how, when, *arguments = sys.argv[1:]
    torch.set_num_threads(1)
    shards.SHARD, locks.POLL = 64, 0.05
    if how in LOSSES:
        lost = os.environ.get("RANK") == "1"
        before_shards(LOSSES[how] if lost else pause, int(when) if lost else 0)
    main(arguments)
