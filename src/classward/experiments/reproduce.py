"""A paper's table or figure, run again: `classward reproduce`.

The file says what is printed and what measures it; the measure is the function of the same name
in `experiments.measures`.
"""

import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from classward.core.errors import InputError
from classward.evaluation.request import versions
from classward.experiments.measurement import Measurement, printed_in
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.experiments.side_by_side import train_side_by_side
from classward.records.atomic import atomic_write
from classward.records.reproduction_result import Cell, Reproduction, Unit
from classward.records.saved import dump

MEASURES = "classward.experiments.measures"
UNITS: dict[str, Unit] = {
    "percent": "share",
    "share": "share",
    "coefficient": "number",
    "text": "text",
}


def reproduce(table: PaperTable, shelf: Shelf) -> Reproduction:
    """Measure a table at its scale; what it needs and the shelf has is not made again.

    The result is kept on the shelf as `results/NAME.json`.

    Raises:
        InputError: If the file asks for what does not exist.
        SystemFaultError: If data are not at hand, or memory or disk do not suffice.
    """
    began, shelf = time.monotonic(), replace(shelf, own=table.groups)
    train_side_by_side(table, shelf)
    found = _measured(table, shelf)
    told = Reproduction(
        name=table.name,
        paper=table.paper,
        label=table.label,
        title=table.title,
        section=table.section,
        setting=table.setting,
        scale=table.scale,
        differs=[*_groups_differ(table, shelf), *table.differs],
        measure=table.measure,
        stated=found.stated,
        cells=_with_printed(table, found.cells),
        matrices=found.matrices,
        settings={"asked": table.asked, "seed": shelf.seed} | dict(shelf.run),
        versions=versions(),
        seconds=time.monotonic() - began,
    )
    file = kept_result(shelf.path, table.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, dump(told).encode())
    return told


def kept_result(folder: Path, name: str) -> Path:
    """Where the result of that name is kept."""
    return folder / "results" / f"{name.removesuffix('.toml')}.json"


def outside(told: Reproduction, kept: Reproduction) -> tuple[list[str], int]:
    """Numbers that lie outside the intervals of an earlier result, and how many have one.

    A number that the earlier result has and this one lacks is outside.
    """
    now = {(cell.row, cell.column): cell.value for cell in told.cells}
    found, asked = [], 0
    for cell in kept.cells:
        if cell.low is None or cell.high is None or not isinstance(cell.value, float):
            continue
        asked += 1
        value = now.get((cell.row, cell.column))
        if not isinstance(value, float) or not cell.low <= value <= cell.high:
            found.append(f"{cell.row}, {cell.column}: {value}, kept {cell.low} to {cell.high}")
    return found, asked


def _measured(table: PaperTable, shelf: Shelf) -> Measurement:
    if not table.measure.isidentifier():
        raise InputError(f"{table.name}: no measure '{table.measure}'")
    try:
        measure = getattr(import_module(f"{MEASURES}.{table.measure}"), table.measure)
    except (ModuleNotFoundError, AttributeError):
        raise InputError(f"{table.name}: no measure '{table.measure}'") from None
    try:
        return measure(table, shelf)
    except KeyError as error:
        raise InputError(f"{table.name}: lacks {error}, which {table.measure} needs") from None


def _with_printed(table: PaperTable, cells: list[Cell]) -> list[Cell]:
    """The cells, and one for each printed number that was not measured."""
    measured = {(cell.row, cell.column) for cell in cells}
    unit = UNITS[table.unit]
    left = [
        Cell(row=row, column=column, unit=unit, printed=printed)
        for row in table.printed
        for column in table.columns
        if (row, column) not in measured
        and (printed := printed_in(table, row, column)) is not None
    ]
    return [*cells, *left]


def _groups_differ(table: PaperTable, shelf: Shelf) -> list[str]:
    """What the groups of the table have in place of the paper's networks and data."""
    told: dict[str, None] = {}
    for name in _named_groups(table.asked):
        if differs := shelf.group(name).get("differs"):
            told[differs] = None
    return [*told]


def _named_groups(asked: Any) -> list[str]:
    if not isinstance(asked, dict):
        return []
    own = [asked["group"]] if isinstance(asked.get("group"), str) else []
    return own + [name for value in asked.values() for name in _named_groups(value)]
