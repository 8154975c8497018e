"""The shards of a record on disk, of at most 4,096 samples each, whole or absent.

A shard is one `.npy` file for each column, and last `shard-00000.json`, which names them with
their SHA-256 digests. A shard without that file does not exist. What differs from run to run,
the wall time and where memory ran out, is in `notes-00000.json`, apart from what must not.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from classward.core.errors import InputError
from classward.records.atomic import sha256
from classward.records.result import GradientCounts, Passes, R, Result
from classward.records.rows import RowFile, load_numbers
from classward.records.run_folder import RunFolder

SHARD = 4096  # samples, at most
FEW, SHARES = 512, 16  # samples at least; shards that a smaller record has
LOGITS = ("clean_logits", "adversarial_logits")  # the wide columns, left on the disk


def shard_size(samples: int, batch_size: int) -> int:
    """Samples of a shard: a sixteenth of them all, in whole batches.

    So several processes can share a record evenly, and a small one is not cut into crumbs.
    """
    aimed = min(SHARD, max(FEW, -(-samples // SHARES)))
    return min(SHARD, max(1, aimed // batch_size) * batch_size)


def shards_of(samples: int, size: int) -> list[range]:
    """Positions of the samples of each shard, in a record of so many."""
    return [range(first, min(first + size, samples)) for first in range(0, samples, size)]


def committed_samples(folder: RunFolder, shards: Sequence[range]) -> int:
    """How many samples are in committed shards, whoever made them."""
    names = {path.name for path in folder.path.glob("shard-*.json")}
    return sum(
        len(shard) for index, shard in enumerate(shards) if f"shard-{index:05d}.json" in names
    )


def write_shard(
    folder: RunFolder, index: int, columns: Mapping[str, Tensor], counts: Mapping[str, Result]
) -> None:
    """Commit one shard: its columns first, the file that names them last."""
    files = {}
    for name, values in columns.items():
        file, buffer = f"shard-{index:05d}-{name}.npy", io.BytesIO()
        np.save(buffer, values.numpy(), allow_pickle=False)
        folder.write(file, buffer.getvalue())
        files[file] = sha256(folder.path / file)
    plain = {name: value.to_dict() for name, value in counts.items()}
    folder.write_json(f"shard-{index:05d}.json", {"files": files, "counts": plain})


def read_shard(folder: RunFolder, index: int) -> dict[str, Any] | None:
    """Columns, counts and notes of a committed shard; None if it was not committed.

    Logits are a `RowFile`, images are read where they are used, the other columns now.

    Raises:
        InputError: If a file of it is absent or damaged.
    """
    if not (folder.path / f"shard-{index:05d}.json").exists():
        return None
    files, shard = _marked(folder, f"shard-{index:05d}.json")
    if (folder.path / _notes(index)).exists():
        shard |= folder.read_json(_notes(index))
    for file, expected in files.items():
        name = file.removeprefix(f"shard-{index:05d}-").removesuffix(".npy")
        path = folder.path / f"shard-{index:05d}-{name}.npy"  # nothing outside the folder
        if not path.exists() or sha256(path) != expected:
            raise InputError(f"{path}: damaged or absent; start the run anew")
        if name in LOGITS:
            shard[name] = RowFile.of(path)
        else:
            column = torch.from_numpy(load_numbers(path))
            shard[name] = column if name == "images" else column.clone()
    return shard


def write_notes(folder: RunFolder, index: int, notes: Mapping[str, Any]) -> None:
    """Keep the seconds a shard took and, under "halved_to", where memory ran out."""
    folder.write_json(_notes(index), dict(notes))


def summed(kind: type[R], counts: Sequence[R]) -> R:
    """The sum of each count."""
    tables = [entry.to_dict() for entry in counts]
    return kind(**{name: sum(table[name] for table in tables) for name in tables[0]})


def _marked(folder: RunFolder, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Files and counts that the last file of a shard names."""
    marker = folder.read_json(name)
    try:
        files, counts = dict(marker["files"]), marker["counts"]
        return files, {
            "passes": Passes.from_dict(counts["passes"]),
            "gradients": GradientCounts.from_dict(counts["gradients"]),
            "seconds": 0.0,
            "halved_to": None,
        }
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{folder.path / name}: damaged; start the run anew") from None


def _notes(index: int) -> str:
    return f"notes-{index:05d}.json"
