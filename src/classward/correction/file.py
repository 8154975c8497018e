"""The file of a fitted corrector: its weights and a JSON text about them, nothing executable.

Source: the safetensors format. It has no checksum, so the file carries one of its own.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from classward.core.errors import InputError
from classward.records.atomic import atomic_write


def write(path: str | Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write both into one file, atomically.

    Raises:
        SystemFaultError: If it cannot be written.
    """
    text = json.dumps(about, allow_nan=False)
    atomic_write(path, save(tensors, {"corrector": f"{_digest(tensors, text)} {text}"}))


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write` wrote.

    Raises:
        InputError: If the file is absent, damaged or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            note = (file.metadata() or {}).get("corrector")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file") from None
        raise InputError(f"{path}: damaged, or not a corrector's safetensors file") from None
    if note is None:
        raise InputError(f"{path}: safetensors of something else, not of a corrector")
    digest, _, text = note.partition(" ")
    if digest != _digest(tensors, text):
        raise InputError(f"{path}: damaged, its digest is wrong; fit or copy it again")
    return tensors, json.loads(text)


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()
