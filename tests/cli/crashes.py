"""Runs a command that is killed, or finds the disk full, at a moment of writing, and goes on.

A program of its own, since a process is killed: `crashes.py COMMAND HOW FOLDER EVERY` does so
at every EVERY-th moment of the command, in a fork each, and prints one JSON object. A moment is
before or after a file is made, written out, renamed or removed.
"""

import builtins
import contextlib
import errno
import io
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch
from lasting import content

from classward.cli.main import run
from classward.records import shards

TABLE = """
paper = "symmetry"
label = "Table 1"
title = "Accuracy"
section = "Here"
setting = "CIFAR-10"
unit = "percent"
measure = "accuracy"
columns = ["Clean", "PGD"]
[printed]
"Ours" = [80, 40.5]
[asked]
samples = 30
seeds = [0]
leader = "Ours"
[asked.columns]
Clean = {}
PGD = { name = "pgd", eps = 0.1, steps = 2, step_size = 0.05 }
[asked.rows."Ours"]
network = { group = "tiny", defense = { name = "adversarial_training" } }
[scale.small]
[scale.small.groups.tiny]
model = "small_cnn"
data = "digits"
training_samples = 100
attack = { name = "fgsm", eps = 0.1 }
recipe = { epochs = 1, batch_size = 20, validation = 10 }
"""
MODEL = ("--model", "mine.py:model", "--data", "digits", "--seed", "3")
ATTACK = ("attack", *MODEL, "--samples", "40", "--attack", "fgsm", "--eps", ".1")
COMMANDS = {
    "attack": (*ATTACK, "--batch-size", "8", "--save-images"),
    "audit": ("audit", *MODEL, "--samples", "20", "--eps", ".1"),
    "train": (
        "train", "--model", "small_cnn", "--data", "digits", "--samples", "40",
        "--defense", "adversarial_training", "--eps", ".1", "--set", "attack.steps=1",
        "--set", "attack.step_size=.1", "--set", "recipe.epochs=2", "--set", "recipe.ema=0.9",
        "--set", "recipe.batch_size=20", "--set", "recipe.validation=10",
        "--set", "recipe.checkpoint_every=1", "--set", "model.width=0.25",
    ),
    "correct fit": ("correct", "fit", "record", "--set", "epochs=2", "--overwrite"),
    "reproduce": ("reproduce", "mine.toml"),
}  # fmt: skip
ON_AGAIN = {"correct fit": (), "reproduce": ()}  # elsewhere --resume


def asked(command, out, again=False):
    return [
        *COMMANDS[command],
        "--out",
        str(out),
        *(ON_AGAIN.get(command, ["--resume"]) * again),
    ]


def at_moments(act, stop_at=None):
    """Number the moments, and `act` at number `stop_at` and at each that follows."""
    passed = []

    def moment(operation):
        if stop_at is not None and len(passed) >= stop_at:
            act(operation)
        passed.append(operation)

    def hooked(operation):
        def with_moments(*arguments, **options):
            moment(operation.__name__)
            result = operation(*arguments, **options)
            moment(operation.__name__)
            return result

        return with_moments

    def opening(file, mode="r", *arguments, **options):
        if mode in ("wb", "ab", "w", "a"):
            moment("open")
        return plain_open(file, mode, *arguments, **options)

    plain_open, builtins.open = builtins.open, opening
    os.replace, os.fsync, os.unlink = map(hooked, (os.replace, os.fsync, os.unlink))
    return passed


def die(_operation):
    os.kill(os.getpid(), signal.SIGKILL)


def full(operation):
    """A disk that stays full; removing a file works."""
    if operation != "unlink":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def in_child(work):
    """Exit code of `work` in a forked process and what it says; -9 if it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        said = io.StringIO()
        code = 70
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                code = work()
        finally:
            os.write(write, said.getvalue()[-4000:].encode())
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def crashed(command, how, every):
    """Crash at every `every`-th moment, go on in a new process, compare with no crash."""
    counted = Path("moments")
    run(asked(command, "warm-up"))  # what is loaded at first use is loaded here, not in forks

    def whole():
        passed = at_moments(die)
        code = run(asked(command, "whole"))
        counted.write_text(str(len(passed)))
        return code

    code, said = in_child(whole)
    assert code == 0, said
    expected, wrong = content(Path("whole")), {}
    moments = range(0, int(counted.read_text()), every)
    for moment in moments:
        out = Path(str(moment))

        def until_crash(out=out, moment=moment):
            at_moments(die if how == "killed" else full, moment)
            return run(asked(command, out))

        code, said = in_child(until_crash)
        if how == "killed":
            fault = "" if code == -signal.SIGKILL else f"not killed: {code}, {said}"
        else:
            fault = not_told(code, said)
        code, said = in_child(lambda out=out: run(asked(command, out, again=True)))
        if code != 0:
            fault = fault or f"does not go on: {code}, {said}"
        elif content(out) != expected:
            fault = fault or f"other content: {differing(content(out), expected)}"
        elif left := [*Path().rglob(".*.partial")]:
            fault = fault or f"left behind: {left[0]}"
        if fault:
            wrong[moment] = fault
        _remove(out)
    return {"moments": len(moments), "wrong": wrong}


def not_told(code, said):
    """What is wrong with how a full disk was told, if anything."""
    if code == 0 and "disk full" not in said:
        return ""  # only a leftover was to be removed
    *_, last = said.strip().splitlines() or [""]
    if code != 3 or "disk full" not in last or "Traceback" in said or len(last) > 200:
        return f"exit {code}: {said[-1000:]}"
    return ""


def differing(one, other):
    return sorted(name for name in one | other if one.get(name) != other.get(name))


def _remove(out):
    for path in Path().glob(f"{out.name}*"):
        if path.name == out.name or path.stem == out.name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def kept_by_the_system(_descriptor):
    """In place of `fsync`: what a killed process wrote is not lost, only slower to come."""


if __name__ == "__main__":
    command, how, folder, every = sys.argv[1:]
    os.chdir(folder)
    torch.set_num_threads(1)
    shards.SHARD, os.fsync = 16, kept_by_the_system
    if command == "correct fit":
        assert run([*ATTACK, "--out", "record"]) == 0
    print(json.dumps(crashed(command, how, int(every))))  # noqa: T201
