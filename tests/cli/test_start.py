"""What must be quick, and what a shell asks: help and completion import no torch."""

import os
import subprocess
import sys

import pytest

from classward.cli.main import commands, run

CALL = """
import sys
from classward.cli.main import run
try:
    code = run(sys.argv[1:])
except SystemExit as end:  # a completion ends the process itself
    code = end.code
heavy = [name for name in ("torch", "numpy", "matplotlib") if name in sys.modules]
print(heavy, file=sys.stderr)
sys.exit(code)
"""


def called(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", CALL, *arguments],
        env=os.environ | {"PYTHONPATH": "src"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def completed(line):
    """What bash is offered after `line`."""
    place = str(len(line.split(" ")) - 1)
    return called(COMP_WORDS=line, COMP_CWORD=place, _CLASSWARD_COMPLETE="complete_bash")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_imports_nothing_heavy(arguments):
    made = called(*arguments)
    assert made.stderr.splitlines()[-1] == "[]"
    assert arguments == ["--version"] or all(name in made.stdout for name in commands())


def test_every_command_says_in_a_line_what_it_does(capsys):
    assert run(["--help"]) in (0, 2)
    said = capsys.readouterr().out
    for name in commands():
        (line,) = [row for row in said.splitlines() if row.lstrip("│ ").startswith(f"{name} ")]
        assert len(line.strip("│ ").split()) > 3


def test_names_of_commands_are_completed_without_torch():
    made = completed("classward ")
    assert made.stdout.split() == commands() and made.stderr.splitlines()[-1] == "[]"
    assert completed("classward co").stdout.split() == ["compare", "contest", "correct"]


def test_options_and_choices_are_completed():
    assert completed("classward report --o").stdout.split() == ["--out"]
    assert completed("classward list d").stdout.split() == ["defenses", "data"]


def test_commands_below_a_command_are_completed():
    assert completed("classward correct e").stdout.split() == ["explain", "evaluate", "export"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell):
    made = called("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert made.returncode == 0 and f"_CLASSWARD_COMPLETE=complete_{shell}" in made.stdout


def test_a_mistyped_command_is_told_its_nearest(capsys):
    assert run(["auditt"]) == 2
    assert "No such command 'auditt'. Did you mean 'audit'?" in capsys.readouterr().err
