"""The command line: parses, calls one public function, prints; exit codes in one place.

Only the command that is asked for is imported: `--help` and the completion of names tell of the
others by their docstrings, without torch.

0 ok, 1 a gate failed, 2 bad input, 3 environment, 4 unsound, 5 an invariant broken, 130
interrupted.
"""

import ast
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from typing import Annotated, Any

import typer

import classward.cli as folder
from classward.cli.screen import complain
from classward.core.errors import ClasswardError, SystemFaultError

# Modules of this package that are no command.
TOOLS = {"main", "options", "screen", "correct_inspect", "correct_study"}

GOES_ON = ("reproduce",)  # without --resume

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version as installed

        typer.echo(f"classward {installed('classward')}")
        raise typer.Exit
    return asked


@app.callback()
def classward(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Class-level adversarial robustness: which class falls to which, and can it be trusted."""


def commands() -> list[str]:
    """Names of the commands: the modules of this package."""
    return [m.name for m in iter_modules(folder.__path__) if m.name not in TOOLS]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command; every error is one line on standard error.

    `CLASSWARD_DEBUG=1` shows where an error came from.
    """
    try:
        asked = _app(arguments or _completed())
        code = int(asked(arguments, prog_name="classward", standalone_mode=False) or 0)
    except Exception as error:
        if os.environ.get("CLASSWARD_DEBUG"):
            raise
        code, text = _told(error)
        if text:  # typer has shown its help where there is nothing to say
            complain(f"classward: {text}")
        return code
    except KeyboardInterrupt:
        code = 130
    if code == 130:  # typer turns an interruption within a command into this
        complain(f"classward: interrupted{_way_on(arguments)}")
    return code


def _way_on(arguments: list[str]) -> str:
    """How the command asked for goes on, if it does."""
    command: Any = typer.main.get_command(app)
    for word in arguments:
        command = getattr(command, "commands", {}).get(word, command)
    if any(option.name == "resume" for option in command.params):
        return "; the same command with --resume goes on"
    return "; the same command goes on" if command.name in GOES_ON else ""


def _app(words: Sequence[str]) -> typer.Typer:
    """The app with its commands; only the one that the first of `words` names is imported."""
    app.registered_commands.clear()
    app.registered_groups.clear()
    for name in commands():
        if name not in words[:1]:
            app.command(name, help=_about(name))(_nothing)
            continue
        module = import_module(f"{folder.__name__}.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _completed() -> list[str]:
    """What stands after `classward` on the line that a shell wants to complete."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def _about(name: str) -> str:
    """The docstring of a command, read without importing its module."""
    source = files(folder).joinpath(f"{name}.py").read_text(encoding="utf-8")
    found = [
        ast.get_docstring(node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return "".join(found[:1])


def _nothing() -> None:
    """Stands where a command is that is not asked for."""


def _told(error: Exception) -> tuple[int, str]:
    """Exit code and one line."""
    if (message := getattr(error, "format_message", None)) is not None:  # typer's own errors
        return 2, _one_line(message())
    if isinstance(error, ClasswardError):
        return error.exit_code, _one_line(str(error))
    if _out_of_memory(error):
        return 3, "out of memory; use fewer samples or a smaller --batch-size"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return SystemFaultError.exit_code, f"{where}{error.strerror or error}"
    if isinstance(error, ValueError):
        return 2, _one_line(str(error))
    where = "CLASSWARD_DEBUG=1 shows where"
    return 5, _one_line(f"internal error, {type(error).__name__}: {error}; {where}")


def _out_of_memory(error: Exception) -> bool:
    from classward.core.memory import out_of_memory  # with torch, which is slow to import

    return out_of_memory(error)


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())
