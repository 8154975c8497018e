"""A function of a Python file that the user names: the one way to code from outside.

A file is imported, that is, run, only because its path was given; no name in a weights file or
a configuration ever leads to an import.
"""

import difflib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from classward.core.errors import InputError


def user_function(file: str | Path, name: str) -> Callable[..., Any]:
    """Run a Python file and give the callable of that name; what the file raises is passed on.

    Raises:
        InputError: If there is no such file, or nothing callable of that name in it.
    """
    path = Path(file).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise InputError(f"{file}: no such Python file")
    loader = _Anew(f"classward_user_{path.stem}", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up the names they mention
    loader.exec_module(module)
    callables = {key: value for key, value in vars(module).items() if callable(value)}
    if name not in callables:
        own = [k for k, v in callables.items() if getattr(v, "__module__", "") == spec.name]
        near = difflib.get_close_matches(name, own, n=1, cutoff=0)
        known = f"the nearest is '{near[0]}'" if near else "it has none"
        raise InputError(f"{file} has no function '{name}', {known}")
    return callables[name]


class _Anew(SourceFileLoader):
    """Compiles the file as it is now; a cache of the same second and size may be older."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("no cache")
