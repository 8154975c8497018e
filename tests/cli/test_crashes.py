"""Whatever is killed and whenever the disk is full: nothing is lost, and the run goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from crashes import TABLE

PROGRAM = Path(__file__).with_name("crashes.py")
SOURCE = Path(__file__).parents[2] / "src"
MOMENTS = {"attack": 700, "audit": 600, "train": 120, "correct fit": 5, "reproduce": 250}
EVERY = {"audit": 4, "reproduce": 2}  # of the moments, where a run takes a second or more


@pytest.mark.parametrize(
    "few",
    [pytest.param(False, id="many", marks=pytest.mark.slow), pytest.param(True, id="few")],
)
@pytest.mark.parametrize("how", ["killed", "full"])
@pytest.mark.parametrize("command", MOMENTS)
def test_crashed_at_any_moment_of_writing(tmp_path, mine, command, how, few):
    (tmp_path / "mine.py").write_text(mine)
    (tmp_path / "mine.toml").write_text(TABLE)
    every = MOMENTS[command] // 2 if few else EVERY.get(command, 1)
    told = subprocess.run(
        [sys.executable, str(PROGRAM), command, how, str(tmp_path), str(every)],
        env={"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout.splitlines()[-1])
    print(f"{command}, {how}: {found['moments']} moments")  # noqa: T201
    assert found["wrong"] == {}
    assert found["moments"] >= MOMENTS[command] // every
