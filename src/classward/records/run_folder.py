"""The folder of a run: what was asked, the files of the run, and a lock.

`manifest.json` says what was asked: kind, settings, versions. One process works in a folder
alone, or several share it.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from classward.core.errors import InputError
from classward.records import locks
from classward.records.atomic import TEMPORARY, atomic_write, fault_of
from classward.records.locks import CLAIM, LOCK, is_lock, opened, turn
from classward.records.manifest import check_same, read_manifest, sealed_run
from classward.records.sealed import SCHEMA, read_sealed, seal

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunFolder:
    """A folder of one run; made by `create` for its writer, by `open` for readers.

    Attributes:
        path: Where it is.
        kind: What made it, such as "attack".
        settings: What was asked, as plain JSON values.
        joined: Whether other processes may work in it at the same time.
        sealed: Whether its JSON files carry digests; those of old runs do not all.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        settings: dict[str, Any],
        *,
        joined: bool = False,
        sealed: bool = True,
    ) -> None:
        self.path, self.kind, self.settings = path, kind, settings
        self.joined, self.sealed = joined, sealed

    @classmethod
    @contextmanager
    def create(
        cls,
        path: str | Path,
        kind: str,
        settings: dict[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        join: bool = False,
    ) -> Iterator["RunFolder"]:
        """Make or take up a run folder and hold its lock until the block ends.

        Args:
            path: The folder; parents are made.
            kind: What the run is.
            settings: What is asked, plain JSON values; a resumed run must ask the same.
            resume: Take up what is there.
            overwrite: Remove what is there, if it is a run.
            join: Make it or take it up, and share it with others that join; see `claimed`.

        Raises:
            InputError: If the folder is in use, holds something else, or another run.
            SystemFaultError: If it cannot be made or written.
        """
        path = Path(path)
        settings = json.loads(json.dumps(settings, allow_nan=False))
        check_free(path, resume, overwrite, join)
        made = _make(path)
        with opened(path / LOCK) as held:
            with turn(path) if join else nullcontext():
                alone = locks.lock(held, path, join=join)
                try:
                    _set_up(path, kind, settings, alone=alone, overwrite=overwrite)
                except BaseException:
                    _remove_if_empty(path, made)
                    raise
                if join and alone:
                    locks.share(held, path)
            sealed = sealed_run(read_manifest(path))
            yield cls(path, kind, settings, joined=join, sealed=sealed)

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Read a run folder that is there.

        Raises:
            InputError: If it is none.
        """
        manifest = read_manifest(Path(path))
        sealed = sealed_run(manifest)
        return cls(Path(path), manifest["kind"], manifest["settings"], sealed=sealed)

    @contextmanager
    def claimed(self, part: str) -> Iterator[bool]:
        """Whether a part of the run is for this process to make, until the block ends.

        Where the folder is not shared it always is. Of a shared one, ask once more what is
        there: another may have made the part just before. If the block ends well, it is made.
        """
        if not self.joined:
            yield True
            return
        with locks.claim(self.path, _checked(part)) as mine:
            if mine:
                _sweep(self.path, f".*-{part}[-.]*{TEMPORARY}")  # of who died making it
            yield mine

    def beat(self, part: str) -> None:
        """Show who waits for a part that this process claimed that it goes on."""
        if self.joined:
            locks.beat(self.path, _checked(part))

    @contextmanager
    def beating(self, part: str) -> Iterator[None]:
        """The same, all along the block."""
        with locks.beating(self.path, _checked(part)) if self.joined else nullcontext():
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let processes that share the folder go through the block one after another."""
        with turn(self.path) if self.joined else nullcontext():
            yield

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the run, atomically."""
        atomic_write(self.path / _checked(name), data)

    def write_json(self, name: str, table: Mapping[str, Any]) -> None:
        """Write a table of plain JSON values with its digest, atomically; NaN is refused."""
        self.write(name, seal(table).encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """Read what `write_json` wrote.

        Raises:
            InputError: If the file is absent or damaged.
        """
        path = self.path / _checked(name)
        try:
            return read_sealed(path, needed=self.sealed)
        except FileNotFoundError:
            raise InputError(f"{path}: not there; the run is not complete") from None


def next_free(parent: str | Path, stem: str) -> Path:
    """The first of `parent`/`stem`-1, -2, … that does not exist."""
    number = 1
    while (Path(parent) / f"{stem}-{number}").exists():
        number += 1
    return Path(parent) / f"{stem}-{number}"


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r}: use letters, digits, '.', '_' and '-' alone")
    return name


def check_free(path: Path, resume: bool, overwrite: bool, join: bool = False) -> None:
    """Whether a run may be made here; says so before any work is done for it.

    Raises:
        InputError: If the folder holds something else, or a run and no flag says what of it.
    """
    if overwrite and (resume or join):
        other = "resume" if resume else "join"
        raise InputError(f"{other} and overwrite exclude each other: give one of them")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: a file, expected a folder for the run")
    try:
        found = [*path.iterdir()] if path.is_dir() else []
    except OSError as error:
        raise fault_of(error, path, 0) from None
    is_run = (path / "manifest.json").exists()  # asked after the listing: others may write
    empty = all(is_lock(entry) or entry.name.endswith(TEMPORARY) for entry in found)
    if not is_run and not empty:
        raise InputError(f"{path}: holds files that are not of a run; choose another folder")
    if is_run and not (resume or overwrite or join):
        raise InputError(f"{path}: holds a run; pass --resume to go on or --overwrite")


def _make(path: Path) -> Path | None:
    """Make the folder; return the topmost folder that was made, None if it was there."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise fault_of(error, path, 0) from None
    return missing[-1] if missing else None


def _remove_if_empty(path: Path, topmost: Path | None) -> None:
    if topmost is None or any(not is_lock(entry) for entry in path.iterdir()):
        return
    for entry in path.iterdir():
        entry.unlink(missing_ok=True)
    for folder in (path, *path.parents):
        try:
            folder.rmdir()
        except OSError:
            return
        if folder == topmost:
            return


def _set_up(
    path: Path, kind: str, settings: dict[str, Any], *, alone: bool, overwrite: bool
) -> None:
    """Write the manifest, or check that the run there is the one that is asked for."""
    if alone:
        _sweep(path, f".*{TEMPORARY}", f"{CLAIM}*{LOCK}")
    if overwrite:
        _clear(path)
    if (path / "manifest.json").exists():
        check_same(path, kind, settings)
    else:
        manifest = {"schema": SCHEMA, "kind": kind, "settings": settings}
        atomic_write(path / "manifest.json", seal(manifest).encode())


def _sweep(path: Path, *patterns: str) -> None:
    for pattern in patterns:
        for leftover in path.rglob(pattern):
            leftover.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif not is_lock(entry):
            entry.unlink()
