"""A training that is killed and resumed ends bit for bit as one that never was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("interrupted.py")
SOURCE = Path(__file__).parents[2] / "src"
PARTS = 12  # the ten of which each changes the result, and two that change the log


def outcome(*arguments):
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    environment = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "every", [pytest.param(17, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
def test_killed_at_any_moment_of_writing(tmp_path, every):
    result = outcome("killed", tmp_path, every)
    assert result["moments"] >= 150 // every
    assert result["different"] == []


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param((7,), id="one"),
        pytest.param((4, 5, 7, 8, 10, 11), id="six", marks=pytest.mark.slow),
    ],
)
def test_every_part_of_a_checkpoint_is_needed(tmp_path, stops):
    same = outcome("robbed", tmp_path, *stops)
    assert same.pop("nothing") == len(stops)
    assert len(same) == PARTS
    assert all(count < len(stops) for count in same.values()), same
