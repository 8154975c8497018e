"""Two processes that want one folder for themselves: one gets it, whatever the moment."""

import os
import signal
import time

import pytest

from classward.core.errors import InputError
from classward.records.run_folder import RunFolder

LOST, WON, WRONG = 2, 0, 1


def contender(folder, start):
    """A process that tries for the folder at `start`; the winner holds it till it is killed."""
    child = os.fork()
    if child:
        return child
    code = WRONG
    try:
        time.sleep(max(0.0, start - time.time()))
        begun = time.monotonic()
        try:
            with RunFolder.create(folder, "attack", {"seed": 0}, resume=True):
                (folder / f"won-{os.getpid()}").touch()
                time.sleep(20)
        except InputError as error:
            said = "in use by another process" in str(error)
            code = LOST if said and time.monotonic() - begun < 1 else WRONG
    finally:
        os._exit(code)


@pytest.mark.parametrize("trials", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_one_of_two_wins_and_once_it_is_killed_the_next_start_works(tmp_path, trials):
    for trial in range(trials):
        folder = tmp_path / str(trial)
        children = [contender(folder, time.time() + 0.05) for _ in range(2)]
        lost, status = os.wait()
        assert os.waitstatus_to_exitcode(status) == LOST
        (winner,) = set(children) - {lost}
        while not (folder / f"won-{winner}").exists():
            time.sleep(0.005)
        os.kill(winner, signal.SIGKILL)
        os.waitpid(winner, 0)
        with RunFolder.create(folder, "attack", {"seed": 0}, resume=True) as again:
            assert again.settings == {"seed": 0}
