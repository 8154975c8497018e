"""Locks of a run folder, held by open files: the kernel frees those of a process that dies.

A folder has one lock, `.lock`, which one process holds alone or several share. Who shares it
takes turns at what only one may do at a time (`.turn.lock`), and claims what it is going to
make (`.claim-PART.lock`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classward.core.errors import InputError, SystemFaultError

LOCK = ".lock"
CLAIM = ".claim-"


def is_lock(entry: Path) -> bool:
    """Whether a file of a run folder is a lock."""
    return entry.name.startswith(".") and entry.name.endswith(LOCK)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A lock file, made if need be; its lock is free when the block ends.

    Raises:
        SystemFaultError: If it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise SystemFaultError(f"{path.parent}: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block, and keep others out of theirs."""
    with opened(folder / f".turn{LOCK}") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def claim(folder: Path, part: str) -> Iterator[bool]:
    """Whether `part` is for this process to make until the block ends; it does not wait."""
    path = folder / f"{CLAIM}{part}{LOCK}"
    with opened(path) as descriptor:
        mine = _locked(descriptor, fcntl.LOCK_EX)
        yield mine
        if mine:
            path.unlink(missing_ok=True)


def lock(descriptor: int, folder: Path, *, join: bool) -> bool:
    """Lock a folder, or join those that share it; whether nobody else holds the lock.

    Raises:
        InputError: If another process holds it alone, or others do and this is not to join.
    """
    if _locked(descriptor, fcntl.LOCK_EX):
        return True
    if join and _locked(descriptor, fcntl.LOCK_SH):
        return False
    raise _in_use(folder)


def share(descriptor: int, folder: Path) -> None:
    """Let others join from now on.

    Raises:
        InputError: If another process came between and took the folder for itself.
    """
    if not _locked(descriptor, fcntl.LOCK_SH):
        raise _in_use(folder)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(folder: Path) -> InputError:
    return InputError(f"{folder}: in use by another process; wait or choose another")
