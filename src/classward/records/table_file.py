"""The rows of a result as a file for other programs: .csv or .parquet."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from classward.core.errors import InputError
from classward.records.atomic import atomic_write
from classward.records.result import Result


def write_table(result: Result, path: str | Path) -> None:
    """Write the rows of `result`, the same as of `to_dataframe()`, without pandas.

    What is nested has a column for each of its values: `robust.value`, `robust.low`. Lists are
    JSON text. What is undefined is empty in a .csv and null in a .parquet.

    Raises:
        InputError: If `path` ends otherwise, or it is a .parquet and pyarrow is not installed.
        SystemFaultError: If it cannot be written.
    """
    kind = Path(path).suffix
    if kind not in (".csv", ".parquet"):
        raise InputError(f"{path}: a table is written as .csv or .parquet")
    rows = [flat(row) for row in result.rows()]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write = _csv if kind == ".csv" else _parquet
    atomic_write(path, write(columns, rows))


def flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A row without nested values.

    >>> flat({"name": "cat", "robust": {"value": 0.5, "low": None}, "pair": [0, 1]})
    {'name': 'cat', 'robust.value': 0.5, 'robust.low': None, 'pair': '[0, 1]'}
    """
    plain: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            plain |= flat(value, f"{prefix}{key}.")
        else:
            listed = isinstance(value, list | tuple)
            plain[prefix + key] = json.dumps(value) if listed else value
    return plain


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(columns: list[str], rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            ".parquet needs pyarrow: pip install 'classward[tables]', or write a .csv"
        ) from None
    table = pyarrow.table({key: [row.get(key) for row in rows] for key in columns})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()
