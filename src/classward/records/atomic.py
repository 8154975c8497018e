"""The one place that writes to disk.

A file is either whole or absent, whatever is killed and whenever: it is written beside its
place, flushed to the disk, and renamed.
"""

import errno
import glob
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from classward.core.errors import SystemFaultError

TEMPORARY = ".partial"


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write `data` so that `path` holds either all of it or what it held before.

    Raises:
        SystemFaultError: If the disk is full or the folder cannot be written.
    """
    with atomic_file(path, len(data)) as file:
        file.write(data)


@contextmanager
def atomic_file(path: str | Path, size: int) -> Iterator[BinaryIO]:
    """A file for about `size` bytes, at `path` only if the block ends well; see above."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{socket.gethostname()}{TEMPORARY}")
    try:
        try:
            with open(partial, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
            _sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise fault_of(error, path, size) from None


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(path: Path) -> None:
    """Remove what processes of this machine left that died writing this file.

    What is left in the folder of a run, the run removes itself.
    """
    name = glob.escape(path.name)
    for left in path.parent.glob(f".{name}.*.{socket.gethostname()}{TEMPORARY}"):
        process = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if process.isdecimal() and not _lives(int(process)):
            left.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fault_of(error: OSError, path: Path, size: int) -> SystemFaultError:
    """What to say where `size` bytes could not be written to `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free if path.parent.exists() else 0
        return SystemFaultError(f"{path}: disk full ({size} bytes needed, {free} free)")
    return SystemFaultError(f"{path}: {error.strerror or error}")
