"""Processes started together share an attack or an audit; what one leaves, others finish."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lasting import content

from classward.records.record import Record

PROGRAM = Path(__file__).with_name("together.py")
SOURCE = Path(__file__).parents[2] / "src"
ON_DIGITS = (
    "--model",
    "mine.py:model",
    "--data",
    "digits",
    "--eps",
    ".1",
    "--batch-size",
    "32",
)
ATTACK = ("attack", *ON_DIGITS, "--attack", "pgd", "--set", "steps=3", "--set",
    "step_size=.05", "--save-images",
)  # fmt: skip
AUDIT = ("audit", *ON_DIGITS, "--samples", "300")
PATIENCE = 4  # seconds


@pytest.fixture
def folder(tmp_path, mine):
    (tmp_path / "mine.py").write_text(mine)
    return tmp_path


def started(folder, *command, count=1, how="whole", when=0, torchrun=False):
    """Processes that the launcher of torch starts, or that are told what it tells them."""
    program = [str(PROGRAM), how, str(when), *command]
    common = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PATH": os.defpath}
    if torchrun:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(count)]
        return [_opened(folder, [*launcher, "--master-port", "0", *program], common)]
    return [
        _opened(
            folder,
            program,
            common | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)},
        )
        for rank in range(count)
    ]


def _opened(folder, command, environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, **pipes)


def ended(processes, timeout=120):
    """Exit codes, and what was printed; whatever happens, none goes on."""
    try:
        said = [process.communicate(timeout=timeout) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], said


@pytest.mark.parametrize("command", [ATTACK, AUDIT], ids=["attack", "audit"])
def test_several_make_what_one_does_and_the_first_speaks(folder, command):
    codes, _ = ended(started(folder, *command, "--out", "one"))
    assert codes == [0]
    codes, said = ended(started(folder, *command, "--out", "two", count=2))
    assert codes == [0, 0], said
    assert content(folder / "two") == content(folder / "one")
    (out, err), other = said
    assert out and "two" in err and other == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "ended", "stopped"])
@pytest.mark.parametrize("when", [0, 1, 3])
@pytest.mark.parametrize("command", [ATTACK, AUDIT], ids=["attack", "audit"])
def test_one_is_lost_all_end_and_any_number_finishes(folder, command, how, when):
    """Under torchrun, which ends all once one fails; a stopped one is noticed by the others."""
    codes, said = ended(started(folder, *command, "--out", "one"))
    assert codes == [0], said
    asked = (*command, "--patience", str(PATIENCE), "--out", "run")
    begun = time.monotonic()
    lost = started(folder, *asked, count=2, how=how, when=when, torchrun=True)
    codes, said = ended(lost, timeout=120)
    assert codes[0] != 0
    assert time.monotonic() - begun < 90
    if how == "stopped":
        (line,) = [line for line in said[0][1].splitlines() if "did nothing for" in line]
        assert line.startswith("classward: run") and len(line) < 200
    kept = {
        path.name: path.stat().st_mtime_ns for path in (folder / "run").glob("shard-*.json")
    }
    codes, said = ended(started(folder, *asked, "--join", count=1 + when % 3))
    assert set(codes) == {0}, said
    again = {
        path.name: path.stat().st_mtime_ns for path in (folder / "run").glob("shard-*.json")
    }
    assert kept.items() <= again.items(), "a committed shard was made anew"
    assert content(folder / "run") == content(folder / "one")
    if command is ATTACK:
        assert len(Record.open(folder / "run")) == 597


def test_a_time_limit_is_not_for_several(cli):
    refused = cli(*AUDIT, "--join", "--out", "run", "--time-limit", "5")
    assert (refused.code, "--join takes no --time-limit" in refused.err) == (2, True)
