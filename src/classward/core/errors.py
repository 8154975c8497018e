"""What can go wrong, each with the exit code of the command line."""

from typing import Any


class ClasswardError(Exception):
    """An error whose message is one line that names the offender and the fix."""

    exit_code = 2


class InputError(ClasswardError, ValueError):
    """The caller's mistake: a wrong name, value, file or combination (exit code 2)."""


class SystemFaultError(ClasswardError):
    """Disk, memory, permission or network (exit code 3)."""

    exit_code = 3


class InvariantError(ClasswardError):
    """A promise of ours or of an attack did not hold (exit code 5).

    Attributes:
        evidence: Arrays and plain values that show it, for a replay; empty where none do.
    """

    exit_code = 5

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.evidence: dict[str, Any] = {}
