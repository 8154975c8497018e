"""The replay bundle: what a broken promise looked like, for whoever has to find out why.

One `.npz` file holds the batch (`images` as they were before, `ids`, `labels`, `targets` and
`restart`), what the attack `returned`, if that was an array, and the run's `settings` as JSON.
"""

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from classward.core.errors import InvariantError
from classward.records.atomic import atomic_write
from classward.records.run_folder import RunFolder

REPLAY = "replay.npz"


@contextmanager
def replayable(folder: RunFolder | None, settings: Mapping[str, Any]) -> Iterator[None]:
    """Write the bundle of an invariant that breaks inside, and say in its error where it is.

    Args:
        folder: Where to write it; `None` is a new folder for temporary files.
        settings: What was asked.
    """
    try:
        yield
    except InvariantError as error:
        if not error.evidence:
            raise
        place = tempfile.mkdtemp(prefix="classward-") if folder is None else folder.path
        path = Path(place) / REPLAY
        atomic_write(path, bundle(error.evidence, str(error), settings))
        told = InvariantError(f"{error}; replay bundle: {path}")
        told.evidence = error.evidence
        raise told from error


def bundle(evidence: Mapping[str, Any], message: str, settings: Mapping[str, Any]) -> bytes:
    """The file: arrays of the evidence, and as JSON the message and the settings."""
    arrays = {name: _array(value) for name, value in evidence.items()}
    about = json.dumps({"error": message, "settings": settings}, allow_nan=False)
    buffer = io.BytesIO()
    kept: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    np.savez_compressed(buffer, about=np.array(about), **kept)
    return buffer.getvalue()


def _array(value: Any) -> np.ndarray | None:
    """The value as an array without Python objects, if it can be one."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    return None if array.dtype == object else array
