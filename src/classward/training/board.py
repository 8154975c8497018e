"""The log of a training as TensorBoard reads it; needs the extra `tensorboard`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from classward.core.errors import InputError

FOLDER = "tensorboard"  # of the event files, in the run folder


def board(path: str | Path) -> Callable[[dict[str, Any]], None]:
    """What to call with the row of each epoch; event files go below the run folder `path`.

    A resumed run goes on in a file of its own, which replaces what came after its first epoch.

    Raises:
        InputError: If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError(
            "TensorBoard is not installed: pip install 'classward[tensorboard]'"
        ) from None
    writers: list[Any] = []

    def write(row: dict[str, Any]) -> None:
        if not writers:  # the folder is there now
            folder = Path(path, FOLDER)
            writers.append(SummaryWriter(str(folder), purge_step=row["epoch"]))
        for name, number in numbers(row):
            writers[0].add_scalar(name, number, row["epoch"])
        writers[0].flush()

    return write


def numbers(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a row with its name, but for the epoch and what is in lists.

    >>> list(numbers({"epoch": 2, "loss": {"intra": 0.5}, "confusion": [[0, 1, 9]]}))
    [('loss/intra', 0.5)]
    """
    for name, value in row.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name != "epoch":
            yield prefix + name, float(value)
