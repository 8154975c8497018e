"""Write docs/commands.md from the command line itself: `make papers`."""

from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typer.models import ArgumentInfo

import classward.cli as folder
from classward.cli.main import commands
from classward.cli.options import Common

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
TOP = """\
# Commands

Every command and option, written from the command line itself. `classward COMMAND --help` says
the same. What the exit codes mean stands [on the first page](index.md#commands). `--set` takes
the options on the cards of the methods, from [FGSM](methods/fgsm.md) on.

## Model and data

The options of every command that says so below.
"""
SHARED = "Takes the options of [model and data](#model-and-data) as well."
HEAD = ["| option | default | what it says |", "|---|---|---|"]
VALUES = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


def page() -> str:
    """The whole page."""
    shared = rows(Common)
    lines = [TOP, *HEAD, *shared]
    for name in commands():
        module = import_module(f"{folder.__name__}.{name}")
        if not hasattr(module, "app"):
            lines += section(f"## {name}", getattr(module, name), shared)
            continue
        inner = {one.callback.__name__: one.callback for one in module.app.registered_commands}
        lines += ["", f"## {name}", "", _about_group(module.app)]
        for title in sorted(inner):
            lines += section(f"### {name} {title}", inner[title], shared)
    return "\n".join(lines) + "\n"


def section(title: str, command: Callable[..., int], shared: list[str]) -> list[str]:
    """Heading, what the command does, and its options."""
    found = rows(command)
    own = [row for row in found if row not in shared]
    lines = ["", title, "", _text(command.__doc__)]
    if set(shared) <= set(found):
        lines += ["", SHARED]
    else:
        own = found
    return [*lines, "", *HEAD, *own] if own else lines


def rows(command: Callable[..., Any]) -> list[str]:
    """A row for each argument and option."""
    return [_row(one) for one in signature(command).parameters.values()]


def _row(one: Parameter) -> str:
    kind, said = get_args(one.annotation)[:2]
    kinds = [part for part in _parts(kind) if part is not type(None)]
    several = get_origin(kinds[0]) is list
    value = get_args(kinds[0])[0] if several else kinds[0]
    choices = get_args(value) if get_origin(value) is Literal else ()
    name = _name(one.name, said, "NAME" if choices else VALUES.get(value, ""), several)
    return f"| `{name}` | {_default(one.default)} | {_about(said, choices)} |"


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _name(name: str, said: Any, value: str, several: bool) -> str:
    if isinstance(said, ArgumentInfo):
        return name.upper() + ("..." if several else "")
    named = isinstance(said.default, str) and said.default.startswith(
        "--"
    )  # typer keeps it there
    option = said.default if named else f"--{name.replace('_', '-')}"
    value = "KEY=VALUE" if option == "--set" else value
    return f"{option} {value}".strip() + (" ..." if several else "")


def _default(default: Any) -> str:
    if default is Parameter.empty:
        return "required"
    return "" if default is None or default is False else f"`{default}`"


def _about(said: Any, choices: tuple[str, ...]) -> str:
    limits = [", ".join(choices)] if choices else []
    if said.min is not None:
        limits.append(f"from {said.min:g}" + ("" if said.max is None else f" to {said.max:g}"))
    text = _text(said.help).replace("|", "\\|")
    return " ".join([text, *(f"({limit})" for limit in limits)]).strip()


def _about_group(app: Any) -> str:
    within = app.registered_callback
    return _text(within.callback.__doc__ if within else app.info.help)


def _text(said: str | None) -> str:
    return " ".join((said or "").split())


if __name__ == "__main__":
    PAGE.write_text(page())
