"""Tables of numbers, such as logits of an API: .npy, .csv and .parquet, read and written."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from classward.core.errors import InputError
from classward.data.archives import reading

KINDS = (".npy", ".csv", ".parquet")


def read_table(path: Path) -> np.ndarray:
    """The numbers of a file: rows x columns, or one column of a .npy as it is.

    A .csv has commas, and its first line may be a header; of a .parquet every column is taken.

    Raises:
        InputError: If the file is absent, of another kind, damaged, or holds other things.
        SystemFaultError: If it may not be read.
    """
    _check_kind(path)
    with reading(path):
        if path.suffix == ".npy":
            table: Any = np.load(path, allow_pickle=False)
        elif path.suffix == ".csv":
            table = _csv(path)
        else:
            columns = _parquet(path).read_table(path).columns
            table = np.column_stack([column.to_numpy() for column in columns])
    numbers = isinstance(table, np.ndarray) and table.dtype.kind in "biuf"
    if not numbers or len(np.atleast_1d(table)) == 0:
        raise InputError(f"{path}: expected a table of numbers, at least one row")
    return table


def read_column(path: Path) -> np.ndarray:
    """The same of one column, such as labels; whole numbers become integers.

    Raises:
        InputError: If it has more columns, besides what `read_table` raises.
    """
    table = read_table(path)
    if table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    if table.ndim != 1:
        raise InputError(f"{path}: expected one column, got shape {table.shape}")
    whole = table.dtype.kind == "f" and (table == table.round()).all()
    return table.astype(np.int64) if whole else table


def table_bytes(table: np.ndarray, path: Path) -> bytes:
    """The bytes of a file of this name that holds the table.

    Raises:
        InputError: If the name ends otherwise.
    """
    _check_kind(path)
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, table, allow_pickle=False)
    elif path.suffix == ".csv":
        np.savetxt(buffer, table, delimiter=",", fmt="%.9g")  # float32 comes back bit for bit
    else:
        names = [str(column) for column in range(table.shape[1])]
        _parquet(path).write_table(_arrow(path).table(list(table.T), names), buffer)
    return buffer.getvalue()


def _csv(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    try:
        [float(cell) for cell in first.split(",")]
    except ValueError:
        header = 1
    else:
        header = 0
    return np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2, encoding="utf-8-sig")


def _check_kind(path: Path) -> None:
    if path.suffix not in KINDS:
        raise InputError(f"{path}: expected a file that ends in {', '.join(KINDS)}")


def _parquet(path: Path) -> Any:
    _arrow(path)
    import pyarrow.parquet

    return pyarrow.parquet


def _arrow(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise InputError(f"{path}: .parquet needs pyarrow: pip install pyarrow") from None
    return pyarrow
