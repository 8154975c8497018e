"""Rows of a table of logits that need not fit in memory: parts in memory, or files of a record.

Rows of a file are read one by one where they are asked for, and the file is open only
meanwhile: a record of millions of samples takes up neither memory nor descriptors.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from classward.core.errors import InputError


@dataclass(frozen=True)
class RowFile:
    """A `.npy` file with a table of float32, row after row.

    Attributes:
        path: Where it is.
        start: Bytes before the first row.
        shape: Rows and columns.
        written: Its size and time of writing; a file that has others is not read.
    """

    path: Path
    start: int
    shape: tuple[int, int]
    written: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "RowFile":
        """The table in this file; its rows are not read yet.

        Raises:
            InputError: If it is no such table.
        """
        table = load_numbers(path)
        if table.dtype != np.float32 or table.ndim != 2 or not table.flags.c_contiguous:
            raise InputError(f"{path}: not a table of float32, row after row")
        return cls(path, table.offset, table.shape, _written(path))

    def read(self, index: Int64[Tensor, " m"], rows: Float32[Tensor, "m k"]) -> None:
        """Read rows, whose numbers ascend, into `rows`; neighbours at once."""
        width = rows.element_size() * self.shape[1]
        cuts = [0, *((index.diff() != 1).nonzero().flatten() + 1).tolist(), len(index)]
        starts, memory = index[cuts[:-1]].tolist(), rows.numpy().data.cast("B")
        try:
            with open(self.path, "rb", buffering=0) as file:
                if _written(file.fileno()) != self.written:
                    raise OSError
                for start, (first, last) in zip(starts, pairwise(cuts), strict=True):
                    wanted = memory[first * width : last * width]
                    _read_at(file.fileno(), self.start + start * width, wanted)
        except OSError:
            raise InputError(
                f"{self.path}: gone or changed since the record was opened; open it anew"
            ) from None


class Rows:
    """Parts of a table one below another; parts in memory alone become one tensor.

    Args:
        parts: Tensors of float32, or files; at least one.

    Attributes:
        parts: The same.
        shape: Rows and columns.

    Raises:
        InputError: If parts have different numbers of columns.
    """

    def __init__(self, parts: Sequence[Tensor | RowFile]) -> None:
        columns = sorted({part.shape[1] for part in parts})
        if len(columns) != 1:
            raise InputError(f"tables of {columns} columns do not make one table")
        tensors = [part for part in parts if isinstance(part, Tensor)]
        whole = len(tensors) == len(parts)
        self._whole = (tensors[0] if len(parts) == 1 else torch.cat(tensors)) if whole else None
        self.parts = list(parts) if self._whole is None else [self._whole]
        self._ends = torch.tensor([part.shape[0] for part in self.parts]).cumsum(0)
        self.shape = (int(self._ends[-1]), columns[0])

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, index: Int64[Tensor, " m"]) -> Float32[Tensor, "m k"]:
        """Copies of the rows of these numbers, from 0, in any order, as often as asked.

        Raises:
            IndexError: If there is no such row.
            InputError: If a file is gone or was changed.
        """
        if self._whole is not None:
            return self._whole.index_select(0, index)
        if len(index) and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"rows {int(index.min())}..{int(index.max())} are out of range")
        ascending, order = index.sort()
        taken = torch.empty(len(index), self.shape[1])
        taken[order] = self._ascending(ascending)
        return taken

    def all(self) -> Float32[Tensor, "n k"]:
        """Every row; what is in memory is not copied.

        Raises:
            InputError: If a file is gone or was changed.
        """
        return self._ascending(torch.arange(len(self))) if self._whole is None else self._whole

    def chunks(self, rows: int) -> Iterator[Float32[Tensor, "m k"]]:
        """All rows, in order, at most so many at a time.

        Raises:
            InputError: If a file is gone or was changed.
        """
        if self._whole is not None:
            yield from self._whole.split(rows)
            return
        for index in torch.arange(len(self)).split(rows):
            yield self._ascending(index)

    def _ascending(self, index: Int64[Tensor, " m"]) -> Float32[Tensor, "m k"]:
        rows = torch.empty(len(index), self.shape[1])
        cuts = torch.searchsorted(index, self._ends).tolist()
        starts = [0, *self._ends[:-1].tolist()]
        where = zip(self.parts, starts, pairwise([0, *cuts]), strict=True)
        for part, start, (first, last) in where:
            if first == last:
                continue
            if isinstance(part, Tensor):
                rows[first:last] = part[index[first:last] - start]
            else:
                part.read(index[first:last] - start, rows[first:last])
        return rows


def load_numbers(path: Path) -> np.memmap:
    """The array in a `.npy` file, read where it is used and never written.

    Raises:
        InputError: If it is no such file.
    """
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (ValueError, TypeError):
        array = None
    if not isinstance(array, np.memmap):
        raise InputError(f"{path}: not a .npy file of numbers")
    return array


def _written(file: Path | int) -> tuple[int, int]:
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


def _read_at(descriptor: int, offset: int, wanted: memoryview) -> None:
    while wanted:
        read = os.preadv(descriptor, [wanted], offset)
        if read == 0:
            raise OSError
        wanted, offset = wanted[read:], offset + read
