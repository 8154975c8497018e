"""Where the files of a data set are: a given folder, the environment, the user's, the net."""

import os
from collections.abc import Iterable
from pathlib import Path

from classward.core.errors import InputError, SystemFaultError


def find(names: Iterable[str], root: Path | None, *also: Path) -> Path | None:
    """The first of these files or folders that exists: folder by folder, then in their order.

    Args:
        names: Paths below a data folder, the preferred one first.
        root: The folder to look in first.
        also: Folders to look in last.

    Raises:
        InputError: If `root` or CLASSWARD_DATA names no folder.
    """
    names = list(names)
    places = (folder / name for folder in (*_folders(root), *also) for name in names)
    return next((place for place in places if place.exists()), None)


def user_folder() -> Path:
    """Where downloads are kept, and where files are looked for that no other folder has."""
    from platformdirs import user_data_path

    return user_data_path("classward", appauthor=False)


def absent(file: str, reason: str = "is not at hand") -> SystemFaultError:
    """The error that says where a missing file should be put."""
    return SystemFaultError(
        f"{file} {reason}: put it into {user_folder()}, or name its folder in CLASSWARD_DATA"
    )


def download(url: str, sha256: str, folder: str = "") -> Path:
    """Bring a published file into `folder` of the user's folder.

    It lands under another name and is renamed once its digest is right.

    Raises:
        SystemFaultError: If it cannot be had, or is another file than the published one.
    """
    import pooch

    file, place = url.rpartition("/")[2], user_folder() / folder
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=file, path=place))
    except OSError as error:  # the network's errors are among them
        reason = error.strerror or type(error).__name__
        raise absent(file, f"cannot be downloaded ({reason})") from error
    except ValueError as error:
        got = str(error).partition(" but got ")[2][:12]
        raise SystemFaultError(
            f"{url} is not the published file: expected SHA-256 {sha256[:12]}, got {got}"
        ) from error


def _folders(root: Path | None) -> list[Path]:
    named = {"root": root, "CLASSWARD_DATA": os.environ.get("CLASSWARD_DATA")}
    folders = {source: Path(path) for source, path in named.items() if path}
    for source, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"{source} names no folder: {folder}")
    return [*folders.values(), user_folder()]
