"""Two processes on this machine train what one does, and none outlives another's loss."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from classward.cli.main import run
from classward.core.errors import InputError, InvariantError, SystemFaultError
from classward.defenses.standard import Standard
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.models.weights import tensors_digest
from classward.training.checkpoint import State
from classward.training.processes import keep_alike, losing_no_process, open_fabric, share
from classward.training.step import Step

PROGRAM = Path(__file__).with_name("process.py")
SOURCE = Path(__file__).parents[2] / "src"
PATIENCE = 15  # seconds
TRAIN = [
    "train", "--model", "small_cnn", "--data", "digits", "--samples", "90", "--eps", "0.1",
    "--set", "attack.steps=2", "--set", "attack.step_size=0.05", "--set", "recipe.epochs=3",
    "--set", "recipe.batch_size=20", "--set", "recipe.validation=9", "--set",
    "recipe.learning_rate=0.01", "--patience", str(PATIENCE),
]  # fmt: skip


def started(folder, count, *arguments, how="whole", at=0):
    """The processes of one training; each has the rank of its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(PROGRAM), str(folder), how, str(at), *TRAIN, *arguments]
    common = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PATH": ""}
    if count > 1:
        common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
        common |= {"LOCAL_WORLD_SIZE": str(count), "GROUP_RANK": "0", "NODE_RANK": "0"}
        common |= {"TORCHELASTIC_RUN_ID": "none"}
    return [
        subprocess.Popen(
            command,
            env=common | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def ended(processes, timeout=120):
    """Exit codes and standard errors; whatever happens, none goes on."""
    try:
        errors = [process.communicate(timeout=timeout)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], errors


def history(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def flat(value):
    """Every number of a row, by its place."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in flat(value[key])]
    if isinstance(value, list):
        return [number for entry in value for number in flat(entry)]
    return [] if value is None else [value]


@pytest.mark.parametrize(
    "defense", ["adversarial_training", pytest.param("trades", marks=pytest.mark.slow)]
)
def test_two_processes_train_what_one_does(tmp_path, defense):
    told = ("--defense", defense, "--out")
    assert run([*TRAIN, *told, str(tmp_path / "one")]) == 0
    codes, errors = ended(started(tmp_path / "seen", 2, *told, str(tmp_path / "two")))
    assert codes == [0, 0], errors
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one) == len(two) == 3
    for alone, shared in zip(one, two, strict=True):
        assert flat(shared) == pytest.approx(flat(alone), rel=1e-4, abs=1e-6)
    digests = [(tmp_path / "seen" / f"digests-{rank}").read_text() for rank in (0, 1)]
    assert digests[0] == digests[1] and len(set(digests[0].split())) == 3


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "ended", "stopped"])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_a_lost_process_ends_all_and_the_run_goes_on(tmp_path, how, at):
    told = ("--defense", "trades", "--set", "recipe.checkpoint_every=2", "--out")
    codes, errors = ended(started(tmp_path / "whole", 2, *told, str(tmp_path / "run")))
    assert codes == [0, 0], errors
    out = tmp_path / "lost"
    processes = started(tmp_path / "seen", 2, *told, str(out), how=how, at=at)
    try:
        said = processes[0].communicate(timeout=PATIENCE + 60)[1]
    finally:
        processes[1].send_signal(signal.SIGKILL)  # as torchrun ends one that hangs
        codes, _ = ended(processes)
    assert codes[0] == 3 and codes[1] != 0
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith("classward: process 0: another process") and len(last) < 200
    codes, errors = ended(started(tmp_path / "again", 2, *told, str(out), "--resume"))
    assert codes == [0, 0], errors
    for name in ("log.jsonl", "weights.safetensors"):
        assert (out / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


class TwoOf:
    """What `share` and `keep_alike` ask of two processes, of which this is the second."""

    world_size, global_rank = 2, 1

    def __init__(self, first=None):
        self.first = iter(first or [])

    def broadcast(self, _own):
        return next(self.first)


def test_shares_make_up_the_batch_and_so_do_their_weights():
    positions, first, second = torch.arange(5), TwoOf(), TwoOf()
    first.global_rank = 0
    (even, much), (odd, less) = share(positions, first), share(positions, second)
    assert torch.equal(torch.cat([even, odd]).sort().values, positions)
    values = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0])
    mean = (much * values[even].mean() + less * values[odd].mean()) / 2
    assert mean == pytest.approx(values.mean())


def test_weights_that_drifted_apart_are_an_error():
    step = Step(Network(nn.Flatten(), LinearHead(4, 3)), Standard())
    drifted = State(
        step=step,
        optimizer=torch.optim.SGD(step.parameters()),
        average=None,
        order=torch.arange(4),
        counts=torch.zeros(3, 3, dtype=torch.int64),
    )
    keep_alike(drifted, TwoOf([{}, tensors_digest(step.state_dict())]))
    with pytest.raises(InvariantError, match="process 1: weights differ from the first"):
        keep_alike(drifted, TwoOf([{}, "another digest"]))


def test_a_numbered_device_is_not_for_several_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="device 'cpu:1': each process takes its own"):
        open_fabric("cpu:1", "exact", 1.0)


@pytest.mark.parametrize(
    ("processes", "text", "raised"),
    [
        ("2", "[gloo] Connection closed by peer", SystemFaultError),
        ("1", "[gloo] Connection closed by peer", RuntimeError),
        ("2", "shapes cannot be multiplied", RuntimeError),
    ],
)
def test_only_a_lost_process_is_said_to_be_one(monkeypatch, processes, text, raised):
    monkeypatch.setenv("WORLD_SIZE", processes)
    with pytest.raises(raised) as error, losing_no_process():
        raise RuntimeError(text)
    assert type(error.value) is raised
