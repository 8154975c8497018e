"""What commands print: one JSON object, or text; progress beside it, on standard error."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

Tell = Callable[[str, int, int], None]  # what, samples done, samples in all
EVERY = 10.0  # seconds between plain lines


def say(text: str) -> None:
    """A line for the person at the terminal, not for the program behind a pipe."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print a result: as one JSON object, or as text for people."""
    print(json.dumps(value, allow_nan=False) if as_json else text, flush=True)  # noqa: T201


@contextmanager
def progress() -> Iterator[Tell]:
    """A bar with rate and time left; plain lines where there is no terminal or NO_COLOR."""
    plain = not sys.stderr.isatty() or "NO_COLOR" in os.environ
    with _lines() if plain else _bars() as tell:
        yield tell


@contextmanager
def _bars() -> Iterator[Tell]:
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>6.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, tuple[TaskID, float]] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                task = bars.add_task(what, total=total, rate=0.0)
                tasks[what] = (task, time.monotonic())
            task, started = tasks[what]
            rate = done / max(time.monotonic() - started, 1e-3)
            bars.update(task, completed=done, rate=rate)

        yield tell


@contextmanager
def _lines() -> Iterator[Tell]:
    started: dict[str, float] = {}
    last = 0.0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        begun = started.setdefault(what, now)
        if done < total and (now - last < EVERY or not done):
            return
        last, taken = now, now - begun
        if total == 1:
            say(f"{what}: {taken:.1f} s")
            return
        rate = f", {done / taken:.0f}/s" if taken > 0.1 else ""
        left = f", {taken * (total - done) / done:.0f} s left" if done < total else ""
        say(f"{what}: {done}/{total}{rate}{left}")

    yield tell
