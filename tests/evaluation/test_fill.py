"""Several processes on one record; each is a fork, as the network is quickest made before."""

import fcntl
import hashlib
import os
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
import torch
from torch import nn

import classward.records.run_folder as run_folder
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError, SystemFaultError
from classward.data.split import Split
from classward.evaluation import fill
from classward.evaluation.run_attack import run_attack
from classward.records import locks, shards
from classward.records.locks import is_lock
from classward.records.record import Record
from classward.records.run_folder import RunFolder

ATTACK = PGD(ball=Linf(0.15), step_size=0.05, steps=3)
SAMPLES, SHARDS = 60, 8


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 8)
    monkeypatch.setattr(locks, "POLL", 0.02)


def run(folder=None, *, pause=0.0, **more):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(SAMPLES, 1, 4, 4, generator=generator)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    model[1].weight.data = torch.randn(3, 16, generator=generator)
    model[1].bias.data.zero_()
    split = Split(images, model(images).argmax(1), ["a", "b", "c"])
    more = {"batch_size": 4, "progress": lambda *_: time.sleep(pause)} | more
    return run_attack(model.eval(), ATTACK, split, out=folder, **more)


def content(folder):
    """What does not differ from run to run."""
    paths = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not is_lock(path) and not path.match("notes-*.json")
    ]
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths
    }


def digest(record):
    tables = record.ids, record.predictions, record.clean_logits, record.adversarial_logits
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in tables)).hexdigest()


def worker(folder, log, *, die_at=None, **more):
    """A process that joins, and notes each shard it makes and at last the record it got."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        log.mkdir()
        _note_shards(log)
        if die_at is not None:
            _die_at_rename(die_at)
        (log / "record").write_text(digest(run(folder, join=True, **more)))
        status = 0
    finally:
        os._exit(status)


def _note_shards(log):
    write = fill.write_shard

    def noted(folder, index, *rest):
        write(folder, index, *rest)
        (log / f"{index}").touch()

    fill.write_shard = noted


def _die_at_rename(when):
    rename, count = os.replace, iter(range(10**6))

    def replace_or_die(source, target):
        if next(count) == when:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    run_folder.os.replace = replace_or_die


def ended(*children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def made_by(log):
    return {int(path.name) for path in log.iterdir() if path.name != "record"}


@pytest.mark.parametrize("save_images", [False, True])
def test_two_processes_make_the_record_of_one(tmp_path, save_images):
    whole = run(tmp_path / "whole", save_images=save_images)
    logs, folder = [tmp_path / "a", tmp_path / "b"], tmp_path / "run"
    how = {"pause": 0.03, "save_images": save_images}
    assert ended(*[worker(folder, log, **how) for log in logs]) == [0, 0]
    one, other = map(made_by, logs)
    assert one and other and not one & other and one | other == set(range(SHARDS))
    assert content(folder) == content(tmp_path / "whole")
    assert {(log / "record").read_text() for log in logs} == {digest(whole)}
    assert not list(folder.glob(".claim-*"))
    assert digest(Record.open(folder)) == digest(whole)


@pytest.mark.parametrize("when", [3, 9, 20])
def test_one_is_killed_and_the_other_finishes(tmp_path, when):
    """At the ninth rename, say, of which the manifest and the notes may be the first two."""
    whole, folder = run(tmp_path / "whole"), tmp_path / "run"
    logs = [tmp_path / "killed", tmp_path / "finishes"]
    killed = worker(folder, logs[0], die_at=when)
    finishes = worker(folder, logs[1], pause=0.03)
    assert ended(killed, finishes) == [-signal.SIGKILL, 0]
    assert made_by(logs[1]) | made_by(logs[0]) == set(range(SHARDS))
    assert (logs[1] / "record").read_text() == digest(whole)
    assert content(folder) == content(tmp_path / "whole"), "nor is anything half left"


def claiming(path, then):
    """A process that claims the one shard that a run lacks, and does something else."""
    run(path, join=True)
    (path / "shard-00002.json").unlink()
    settings = RunFolder.open(path).settings
    child = os.fork()
    if child == 0:
        shared = RunFolder.create(path, "attack", settings, join=True)
        with shared as folder, folder.claimed("00002"):
            then()
    return child


def test_who_waits_takes_over_what_another_gives_up(tmp_path):
    """The other process holds a claim for a while, and makes nothing of it."""

    def hold():
        (tmp_path / "claimed").touch()
        time.sleep(0.4)
        os._exit(0)

    child = claiming(tmp_path / "run", hold)
    while not (tmp_path / "claimed").exists():
        time.sleep(0.01)
    told = []
    made = run(tmp_path / "run", join=True, progress=lambda *done: told.append(done))
    assert ended(child) == [0]
    assert told.count((52, 60)) > 1 and told[-1] == (60, 60), "it waited, then did the rest"
    assert digest(made) == digest(run())


def test_who_waits_gives_up_on_one_that_hangs(tmp_path):
    """It says who that is, and leaves what was committed."""
    child = claiming(tmp_path / "run", lambda: os.kill(os.getpid(), signal.SIGSTOP))
    os.waitpid(child, os.WUNTRACED)
    try:
        with pytest.raises(
            SystemFaultError, match=f"process {child} on .* did nothing for 0 s"
        ):
            run(tmp_path / "run", join=True, patience=0.3)
    finally:
        os.kill(child, signal.SIGKILL)
    assert ended(child) == [-signal.SIGKILL]
    assert digest(run(tmp_path / "run", join=True)) == digest(run())


def test_who_goes_on_slowly_is_waited_for(tmp_path):
    """A process that shows a sign of life after each batch is not given up."""
    whole, log = run(tmp_path / "whole"), tmp_path / "slow"
    slow = worker(tmp_path / "run", log, pause=0.2)
    assert digest(run(tmp_path / "run", join=True, patience=0.5, pause=0.01)) == digest(whole)
    assert ended(slow) == [0] and made_by(log)


def test_join_takes_up_what_is_there_and_nothing_else(tmp_path):
    whole = run(tmp_path / "run")
    assert digest(run(tmp_path / "run", join=True)) == digest(whole)
    with pytest.raises(InputError, match="cannot go on, its seed is 0, now 1"):
        run(tmp_path / "run", join=True, seed=1)
    with pytest.raises(InputError, match="join and overwrite exclude each other"):
        run(tmp_path / "run", join=True, overwrite=True)
    with (
        RunFolder.create(tmp_path / "other", "attack", {}),
        pytest.raises(InputError, match="in use by another process"),
    ):
        run(tmp_path / "other", join=True)


def test_a_shard_committed_just_before_the_claim_is_not_made_twice(tmp_path, monkeypatch):
    whole, made = run(tmp_path / "whole"), []
    claimed, write = RunFolder.claimed, fill.write_shard

    @contextmanager
    def late(folder, part):
        if part == "00002":
            for path in (tmp_path / "whole").glob("*-00002*"):
                shutil.copy(path, folder.path)
        with claimed(folder, part) as mine:
            yield mine

    def noted(folder, index, *rest):
        made.append(index)
        write(folder, index, *rest)

    monkeypatch.setattr(RunFolder, "claimed", late)
    monkeypatch.setattr(fill, "write_shard", noted)
    assert digest(run(tmp_path / "run", join=True)) == digest(whole)
    assert made == [0, 1, 3, 4, 5, 6, 7]


def test_pictures_are_written_by_one_process_at_a_time(tmp_path, monkeypatch):
    def in_turn(folder, record):
        with open(folder.path / ".turn.lock") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done.append(len(record))

    done = []
    monkeypatch.setattr("classward.evaluation.run_attack.write_pictures", in_turn)
    run(tmp_path / "run", join=True, save_images=True)
    assert done == [SAMPLES]
