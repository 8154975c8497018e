"""JSON text with a digest of what it says, so that no damage to it is read as a result."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classward.core.errors import InputError

SEAL = "sha256"
SCHEMA = 2  # of runs and of results; those of schema 1 have no seal


def digest(value: object) -> str:
    """SHA-256 of plain JSON values, as hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(table: Mapping[str, Any]) -> str:
    """JSON text of a table and its digest.

    Raises:
        ValueError: If a number is not finite.
    """
    plain = json.loads(json.dumps(dict(table), allow_nan=False))
    return json.dumps(plain | {SEAL: digest(plain)}, indent=1) + "\n"


def unseal(told: Any, source: object, *, needed: bool) -> dict[str, Any]:
    """The table without its seal.

    Args:
        told: What the JSON text says.
        source: The file, for the error.
        needed: Whether it must have a seal.

    Raises:
        InputError: If it is no table, or its seal is absent or wrong.
    """
    table = dict(told) if isinstance(told, dict) else {}
    expected = table.pop(SEAL, None)
    try:
        whole = bool(table) and (digest(table) == expected or not (needed or expected))
    except ValueError:  # a number that is not finite
        whole = False
    if not whole:
        raise InputError(f"{source}: damaged, its digest is wrong; bring back a copy of it")
    return table


def read_sealed(path: Path, *, needed: bool = True) -> dict[str, Any]:
    """The table of a file.

    Raises:
        FileNotFoundError: If there is none.
        InputError: If it is damaged.
    """
    try:
        told = json.loads(path.read_bytes())
    except ValueError:
        raise InputError(f"{path}: damaged, not JSON") from None
    return unseal(told, path, needed=needed)
