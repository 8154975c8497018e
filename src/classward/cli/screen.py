"""What commands print: one JSON object, or text; progress beside it, on standard error."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from classward.core.processes import is_first

if TYPE_CHECKING:
    from rich.progress import TaskID

Tell = Callable[[str, int, int], None]  # what, samples done, samples in all
EVERY = 10.0  # seconds between plain lines


def say(text: str) -> None:
    """A line for the person at the terminal, not for the program behind a pipe.

    Of several processes the first one speaks, of this and of what follows here.
    """
    if is_first():
        complain(text)


def complain(text: str) -> None:
    """Such a line of any process."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print a result: as one JSON object, or as text for people."""
    if is_first():
        print(json.dumps(value, allow_nan=False) if as_json else text, flush=True)  # noqa: T201


@contextmanager
def progress() -> Iterator[Tell]:
    """A bar with rate and time left; plain lines where there is no terminal or NO_COLOR.

    A phase is told with 0 done, or what an earlier run left done, and last with all; what is
    told is the phase's name and, after a colon, what of it is on. It ends with a line that says
    what it took.
    """
    plain = not (sys.stderr.isatty() and is_first()) or "NO_COLOR" in os.environ
    with _lines() if plain else _bars() as tell:
        yield tell


class _Phase:
    """How fast a phase goes, without what was done before it."""

    def __init__(self, before: int) -> None:
        self.began, self.before = time.monotonic(), before

    def pace(self, done: int) -> tuple[float, float]:
        """Seconds so far, and what is done in one."""
        taken = time.monotonic() - self.began
        return taken, (done - self.before) / max(taken, 1e-3)


@contextmanager
def _bars() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>6.3g}/s"),
        TextColumn("{task.fields[time]:>12}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, tuple[TaskID, _Phase]] = {}

        def tell(what: str, done: int, total: int) -> None:
            name = what.partition(":")[0]
            if name not in tasks:
                task = bars.add_task(what, total=total, rate=0.0, time="")
                tasks[name] = task, _Phase(done)
            task, phase = tasks[name]
            taken, rate = phase.pace(done)
            left = f"{(total - done) / rate:.0f} s left" if rate else ""
            time_ = f"{taken:.1f} s" if done == total else left
            bars.update(task, description=what, completed=done, rate=rate, time=time_)

        yield tell


@contextmanager
def _lines() -> Iterator[Tell]:
    phases: dict[str, _Phase] = {}
    ended: set[str] = set()
    last = 0.0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        name = what.partition(":")[0]
        if name in ended:
            if done == total:
                return
            ended.remove(name)  # another phase of that name
            del phases[name]
        phase = phases.setdefault(name, _Phase(done))
        taken, rate = phase.pace(done)
        if done == total:
            ended.add(name)
            paced = f", {rate:.3g}/s" if total > 1 and rate and taken > 0.1 else ""
            say(
                f"{name}: {total} in {taken:.1f} s{paced}"
                if done > phase.before
                else f"{name}: kept"
            )
        elif done > phase.before and time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(f"{what}: {done}/{total}, {rate:.3g}/s, {(total - done) / rate:.0f} s left")

    yield tell
