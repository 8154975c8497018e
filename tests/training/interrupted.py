"""Trains a tiny network that is killed, or robbed of a part of its state, and goes on.

A program of its own: the run-time type checks of the tests draw from Python's generator, and so
does the network here. `killed FOLDER EVERY` kills at every EVERY-th moment of writing,
`robbed FOLDER STEP...` stops at these steps; both print one JSON object.
"""

import copy
import hashlib
import json
import os
import random
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training import checkpoint, train
from classward.training.schedule import Recipe


class Noisy(nn.Module):
    """Draws from all three global generators, as layers of others may."""

    def forward(self, features):
        if not self.training:
            return features
        shift = 0.1 * random.random() + 0.1 * np.random.random()  # noqa: NPY002
        return nn.functional.dropout(features, 0.2) + shift


def run(out, **arguments):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    data = Split(torch.rand(33, 1, 4, 4, generator=generator), torch.arange(33) % 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), Noisy(), nn.ReLU()]
        network = Network(nn.Sequential(*layers), LinearHead(12, 3))
    defense = AdversarialTraining(attack=PGD(ball=Linf(0.1), step_size=0.05, steps=2))
    # Three epochs of four batches; a checkpoint after steps 3, 4, 6, 8, 9 and 12.
    recipe = Recipe(epochs=3, batch_size=8, ema=0.9, augment=True, checkpoint_every=3)
    train.train(defense, network, data, recipe=recipe, out=out, **arguments)


def digest(out):
    """Of all that a finished run leaves: weights, average, momenta, generators, log."""
    names = ["log.jsonl", "weights.safetensors", "best.json", "last.json"]
    pointed = sorted(path.name for path in out.glob("checkpoint-*"))
    return hashlib.sha256(b"".join((out / n).read_bytes() for n in names + pointed)).hexdigest()


def count_moments(stop_at=None):
    """Number the moments before and after each disk operation; die at number `stop_at`."""
    passed = []

    def hooked(operation):
        def with_moments(*arguments, **options):
            for do in (None, operation):
                if len(passed) == stop_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                passed.append(operation.__name__)
                result = do(*arguments, **options) if do else None
            return result

        return with_moments

    os.replace, os.fsync, os.unlink = map(hooked, (os.replace, os.fsync, os.unlink))
    return passed


def in_child(work):
    """Exit status of `work` in a forked process; None if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def killed(folder, every):
    """Kill at every `every`-th moment, go on in a new process, compare with no kill at all."""
    whole = folder / "whole"
    counted = folder / "moments"
    run(None)  # what is loaded at first use is loaded here, not in every child

    def first():
        passed = count_moments()
        run(whole)
        counted.write_text(str(len(passed)))

    assert in_child(first) == 0
    moments, different = range(0, int(counted.read_text()), every), []
    for moment in moments:
        out = folder / str(moment)

        def until_killed(out=out, moment=moment):
            count_moments(moment)
            run(out)

        assert in_child(until_killed) is None, f"not killed at moment {moment}"
        assert in_child(lambda out=out: run(out, resume=True)) == 0, f"moment {moment}"
        if digest(out) != digest(whole) or list(out.glob(".*.partial")):
            different.append(moment)
        shutil.rmtree(out)
    return {"moments": len(moments), "different": different}


def stopped(out, after):
    """Stop once this step is done, before it is written: the checkpoint before it stands."""

    def stop(done, _total):
        if done == after:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        run(out, progress=stop)


def robbed(folder, stops):
    """For each part of the state, after how many of the stops its loss changes nothing."""
    state, read, fresh = train._state, train.read, {}

    def with_note(*arguments, **options):
        made = state(*arguments, **options)
        fresh.update(copy.deepcopy(checkpoint.parts(made)))
        return made

    train._state = with_note
    run(folder / "whole")
    train._state = state
    same = dict.fromkeys(["nothing", *checkpoint.TENSORS, *checkpoint.PLAIN], 0)
    for after in stops:
        stopped(folder / "stopped", after)
        for part in same:

            def without(run_folder, name, part=part):
                found = read(run_folder, name)
                return (
                    found | {part: fresh[part]} if name == "last" and part in fresh else found
                )

            shutil.copytree(folder / "stopped", folder / "resumed")
            train.read = without
            run(folder / "resumed", resume=True)
            train.read = read
            same[part] += digest(folder / "resumed") == digest(folder / "whole")
            shutil.rmtree(folder / "resumed")
        shutil.rmtree(folder / "stopped")
    return same


def kept_by_the_system(_descriptor):
    """In place of `fsync`: what a killed process wrote is not lost, only slower to come."""


if __name__ == "__main__":
    os.fsync = kept_by_the_system
    task, folder, *numbers = sys.argv[1:]
    numbers = [int(number) for number in numbers]
    folder = Path(folder)
    result = robbed(folder, numbers) if task == "robbed" else killed(folder, *numbers)
    print(json.dumps(result))  # noqa: T201
