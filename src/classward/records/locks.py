"""Locks of a run folder, held by open files: the kernel frees those of a process that dies.

A folder has one lock, `.lock`, which one process holds alone or several share. Who shares it
takes turns at what only one may do at a time (`.turn.lock`), and claims what it is going to
make (`.claim-PART.lock`). A claim says who holds it, and its time of change is the last sign of
life: a process that hangs keeps its locks.
"""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from classward.core.errors import InputError, SystemFaultError

LOCK = ".lock"
CLAIM = ".claim-"
POLL = 1.0  # seconds between looks at what other processes have made


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
    path = _claim(folder, part)
    with opened(path) as descriptor:
        mine = _locked(descriptor, fcntl.LOCK_EX)
        if mine:
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield mine
        if mine:
            path.unlink(missing_ok=True)


def beat(folder: Path, part: str) -> None:
    """Show that who claimed this part is making headway, as long as the claim is there."""
    with suppress(FileNotFoundError):
        os.utime(_claim(folder, part))


@contextmanager
def beating(folder: Path, part: str) -> Iterator[None]:
    """Show it every second until the block ends, as long as this process runs at all."""
    ended = threading.Event()

    def beats() -> None:
        while not ended.wait(POLL):
            beat(folder, part)

    thread = threading.Thread(target=beats, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Patience:
    """Waits for what other processes have claimed, as long as any of them makes headway.

    Args:
        folder: The folder they share.
        seconds: After so long without a sign of life it gives up.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.seen: dict[Path, int] | None = None
        self.since = 0.0

    def renew(self) -> None:
        """Begin anew: something was made meanwhile."""
        self.seen = None

    def wait(self) -> None:
        """Sleep a while.

        Raises:
            SystemFaultError: If nobody has shown a sign of life for too long.
        """
        time.sleep(POLL)
        beats = {path: when for path in self._claims() if (when := _changed(path))}
        if not beats or beats != self.seen:  # what nobody claims is for whoever looks next
            self.seen, self.since = beats, time.monotonic()
        elif time.monotonic() - self.since > self.seconds:
            who = " and ".join(sorted({_holder(path) for path in beats}))
            raise SystemFaultError(
                f"{self.folder}: {who} did nothing for {self.seconds:.0f} s; end it and start "
                "this again"
            )

    def _claims(self) -> list[Path]:
        return sorted(self.folder.glob(f"{CLAIM}*{LOCK}"))


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


def _claim(folder: Path, part: str) -> Path:
    return folder / f"{CLAIM}{part}{LOCK}"


def _changed(path: Path) -> int | None:
    """When a file was changed last; None if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _holder(path: Path) -> str:
    """Who holds a claim, as it says itself."""
    try:
        return path.read_text() or "another process"
    except OSError:
        return "another process"


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(folder: Path) -> InputError:
    return InputError(f"{folder}: in use by another process; wait or choose another")
