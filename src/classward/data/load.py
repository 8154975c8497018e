"""Data by name: a built-in set, a folder, an `.npz` file, or a function of a Python file."""

import difflib
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import classward.data
from classward.core.errors import InputError
from classward.data.arrays import call_function, read_npz
from classward.data.image_folder import read_folder
from classward.data.split import Split


def load_data(
    name: str | Path,
    *,
    split: str = "test",
    samples: int | str | None = None,
    root: str | Path | None = None,
) -> Split:
    """Labelled images, checked.

    Args:
        name: A built-in name such as "digits" or "cifar10", a folder of class folders, an
            `.npz` file with `images` and `labels`, or `FILE.py:FUNCTION`.
        split: The part of the data set.
        samples: N for the first ceil(N / k) images of each class, "first:N" for the first N.
        root: Where to look first for the files of a built-in set.

    Raises:
        InputError: If there is no such data, or it is damaged.
        SystemFaultError: If the files of a built-in set are nowhere, and cannot be downloaded.
    """
    data = _load(str(name), split, None if root is None else Path(root))
    return data if samples is None else data.take(samples)


def data_names() -> list[str]:
    """Names of the built-in data sets: the modules of this folder that have `SPLITS`."""
    names = [info.name for info in pkgutil.iter_modules(classward.data.__path__)]
    return [name for name in names if hasattr(_module(name), "SPLITS")]


def _load(name: str, split: str, root: Path | None) -> Split:
    if name in data_names():
        module = _module(name)
        if split not in module.SPLITS:
            known = ", ".join(module.SPLITS)
            raise InputError(f"{name} has no split '{split}', it has: {known}")
        data = module.load(split, root)
        data.name = f"{name} {split}"
        return data
    if ".py:" in name:
        return call_function(name, split)
    if name.endswith(".npz"):
        return read_npz(Path(name), split)
    if name and Path(name).is_dir():
        return read_folder(Path(name), split)
    nearest = difflib.get_close_matches(name, data_names(), n=1, cutoff=0)[0]
    raise InputError(
        f"no data '{name}', the nearest name is '{nearest}'; "
        "or give a folder, an .npz file or FILE.py:FUNCTION"
    )


def _module(name: str) -> Any:
    return import_module(f"classward.data.{name}")
