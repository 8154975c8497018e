import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from classward.core.errors import InputError
from classward.experiments.paper_table import read_table
from classward.experiments.side_by_side import asked_networks, train_side_by_side

TRADES = {"group": "tiny", "defense": {"name": "trades"}}
LATER = {"group": "tiny", "defense": {"name": "symmetry_aware", "pairs": "maximum"}}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def table(*networks):
    rows = {str(number): {"network": network} for number, network in enumerate(networks)}
    some = read_table("symmetry/table1", "small")
    return replace(some, asked={"seeds": [0, 1], "rows": rows})


def test_the_networks_of_a_table_are_found_once_with_all_seeds():
    found = asked_networks(table({"group": "tiny"}, TRADES, TRADES))
    assert [(asked.get("defense", {}).get("name"), asked["seed"]) for asked in found] == [
        (None, 0),
        (None, 1),
        ("trades", 0),
        ("trades", 1),
    ]


def test_side_by_side_the_same_networks_come_out(shelf, told, two_threads, tmp_path):
    asked = table(TRADES, LATER)
    train_side_by_side(asked, shelf)
    assert [what[1:] for what in told] == [(0, 2), (1, 2), (2, 2)]
    told.clear()
    alone = replace(shelf, path=tmp_path / "alone")
    for seed in (0, 1):
        one, other = (kept.network(**TRADES, seed=seed) for kept in (shelf, alone))
        for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    assert {what[0] for what in told} == {f"train tiny, trades, seed {n}" for n in (0, 1)}
    assert shelf.lacks(**LATER)
    told.clear()
    train_side_by_side(asked, shelf)
    assert told == []


def test_a_training_takes_one_thread_and_gives_the_others_back(shelf, two_threads):
    run = shelf.training("tiny")
    assert '"threads": 1' in (run.path / "manifest.json").read_text()
    assert torch.get_num_threads() == 2


PARENT = """
import os, signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from classward.experiments.side_by_side import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_process_outlives_the_first_one(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it is still there after ten seconds")


def test_what_cannot_be_trained_is_said_once(shelf, two_threads):
    with pytest.raises(InputError, match="nothing"):
        train_side_by_side(table({"group": "tiny", "defense": {"name": "nothing"}}), shelf)
