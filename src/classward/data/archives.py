"""Reading archives nobody vouches for: sizes are capped, nothing is unpacked onto a disk."""

import gzip
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from classward.core.errors import ClasswardError, InputError, SystemFaultError

LARGEST_ZIP = 16 << 30  # bytes all members of a zip may have together
LARGEST_FILE = 1 << 30  # bytes any other file may unpack to


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Say in one line which file could not be read; a reader may raise anything on such bytes.

    Raises:
        InputError: If there is no such file, or it is damaged.
        SystemFaultError: If it may not be read.
    """
    try:
        yield
    except ClasswardError:
        raise
    except PermissionError as error:
        raise SystemFaultError(f"{path} may not be read: permission denied") from error
    except FileNotFoundError as error:
        raise InputError(f"{error.filename or path}: no such file") from error
    except Exception as error:
        reason = type(error).__name__
        raise InputError(
            f"{path} cannot be read ({reason}): damaged, or another format"
        ) from error


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive whose members have different names and a bearable size.

    Raises:
        InputError: If it is none; errors while it is open are told as those of `reading`.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise InputError(f"{path} is refused: two of its members have one name")
        if sum(member.file_size for member in members) > LARGEST_ZIP:
            raise InputError(f"{path} is refused: it unpacks to over 16 GiB")
        yield archive


def read_array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """One `.npy` member of an open archive.

    Raises:
        InputError: If there is no such member, or it holds Python objects.
    """
    if member not in archive.namelist():
        some = ", ".join(archive.namelist()[:4])
        raise InputError(f"{archive.filename} has no {member}; it begins with {some}")
    try:
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise InputError(
            f"{archive.filename}: {member} holds Python objects: save a plain array"
        ) from None


def read_members(path: Path, names: Sequence[str]) -> list[bytes]:
    """The files of these names, in this order, from a folder or a `.tar.gz`.

    Raises:
        InputError: If one is missing, comes twice or lies beyond 1 GiB of archive.
    """
    if path.is_dir():
        with reading(path):
            return [(path / name).read_bytes() for name in names]
    found: dict[str, bytes] = {}
    with reading(path), gzip.open(path) as unpacked:
        with tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                if member.offset_data + member.size > LARGEST_FILE:
                    raise InputError(f"{path} is refused: it unpacks to over 1 GiB")
                name = PurePosixPath(member.name).name
                if name not in names or not member.isreg():
                    continue
                if name in found:
                    raise InputError(f"{path} is refused: {name} comes twice")
                file = archive.extractfile(member)
                found[name] = file.read() if file else b""
        while unpacked.read(1 << 20):  # only at its end does a gzip file check its sum
            if unpacked.tell() > LARGEST_FILE:
                raise InputError(f"{path} is refused: it unpacks to over 1 GiB")
    if missing := [name for name in names if name not in found]:
        raise InputError(f"{path} has no {missing[0]}")
    return [found[name] for name in names]
