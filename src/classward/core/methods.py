"""Methods by name: a name is the file of a method, its options the keywords of its class.

Names come from a package's own folder listing, so a new file is a new name, and nothing outside
the package can be reached.
"""

import difflib
import importlib
import inspect
import pkgutil
import re
import tomllib
from types import ModuleType
from typing import Any

from classward.core.balls import ball
from classward.core.errors import InputError


def methods(package: ModuleType) -> dict[str, type]:
    """Methods of a package: name of the file -> the one public class defined in it.

    Files that define none, or several, hold no method and are left out.
    """
    modules = {
        info.name: importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    }
    public = {name: _public_classes(module) for name, module in modules.items()}
    return {name: classes[0] for name, classes in public.items() if len(classes) == 1}


def make(package: ModuleType, name: str, /, **options: Any) -> Any:
    """The method of that name with these options, which may come from text.

    A method with a ball takes `eps` and `norm` ("linf" or "l2") in place of `ball`, and lengths
    as a share of the radius: "eps/4".

    Raises:
        InputError: If there is no such method, or an option does not fit it (one line).
    """
    known = methods(package)
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0)
        kind = package.__name__.rpartition(".")[2].removesuffix("s")
        raise InputError(f"unknown {kind} {name!r}, the nearest is {near[0]!r}")
    method = known[name]
    fields = inspect.signature(method).parameters
    if "ball" in fields:
        options = _with_ball(options, fields["ball"].default)
    elif "eps" in options and "eps" not in fields:
        raise InputError(f"{name} takes no eps, for it has no ball to stay in: leave eps out")
    if unknown := [option for option in options if option not in fields]:
        near = difflib.get_close_matches(unknown[0], fields, n=1, cutoff=0)
        nearest = f"the nearest is {near[0]!r}" if near else "none exist"
        raise InputError(f"{method.__name__}: unknown option {unknown[0]!r}, {nearest}")
    try:
        return method(**options)
    except ValueError as error:
        raise InputError(str(error)) from None


def read_option(text: str) -> object:
    """Value of an option written as in TOML; what is no TOML value stays the text it is.

    >>> [read_option(text) for text in ("50", "1e-3", "false", '"50"', "2/255")]
    [50, 0.001, False, '50', '2/255']
    """
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def _public_classes(module: ModuleType) -> list[type]:
    return [
        cls
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and not name.startswith("_")
    ]


def _with_ball(options: dict[str, Any], default: Any) -> dict[str, Any]:
    """Options with `eps` and `norm` made a ball, and lengths such as "eps/4" made numbers."""
    rest = {key: value for key, value in options.items() if key not in {"eps", "norm"}}
    if len(rest) < len(options) and "ball" in rest:
        raise InputError("give either ball, or eps and norm")
    norm = options.get("norm", default.norm)
    if "eps" in options:
        rest["ball"] = ball(norm, options["eps"])
    elif norm != default.norm:
        raise InputError(f"norm {norm!r} needs its own radius: give eps too, such as eps=0.5")
    radius = getattr(rest.get("ball", default), "eps", None)
    return {key: _length(value, radius) for key, value in rest.items()}


def _length(value: Any, radius: float | None) -> Any:
    share = re.fullmatch(r"eps */ *([1-9]\d*)", value) if isinstance(value, str) else None
    return value if share is None or radius is None else radius / int(share[1])
