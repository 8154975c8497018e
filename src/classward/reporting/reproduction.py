"""A table or figure run again: its sentences, its lines as text, and what its page shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from classward.records.reproduction_result import Cell, ClassMatrix, Reproduction
from classward.reporting import section
from classward.reporting.busiest import READABLE, busiest, off_diagonal
from classward.reporting.chord import plot_chord
from classward.reporting.figure import svg
from classward.reporting.heatmap import plot_attack_matrix
from classward.reporting.references import references
from classward.reporting.section import Section
from classward.reporting.similarity import beside_flows
from classward.reporting.wording import between, duration, number, p_value, percent, points

NOTHING = "·"
METHODS = {"symmetry": ("analyze",), "logits": ("corrector",)}  # of which papers


def reproduction_sentences(told: Reproduction) -> dict[str, str]:
    """What it is, what differs, and how often ours and the printed numbers agree."""
    said = {
        "What the paper has": f"{told.label}: {told.title.rstrip('.')}. {told.setting}.",
        "What is measured here": f"Scale {told.scale}. {_differs(told)}",
    }
    if printed := [cell for cell in told.cells if comparable(cell)]:
        bounded = [cell for cell in printed if cell.low is not None]
        inside = (
            f"{sum(covers(cell) for cell in bounded)} of {len(bounded)} printed ones lie in"
        )
        within = f"{inside} our 95 % intervals" if bounded else "ours have no interval"
        said["Printed and ours"] = (
            f"{len(printed)} numbers can be compared; {within}. Where networks and data "
            "differ, shapes are to be compared, not digits."
        )
    return said


def comparable(cell: Cell) -> bool:
    """Whether both the paper and we have a number there."""
    return isinstance(cell.printed, float) and isinstance(cell.value, float)


def covers(cell: Cell) -> bool:
    """Whether the printed number is in our interval."""
    if cell.low is None or cell.high is None or not isinstance(cell.printed, float):
        return False
    return cell.low <= cell.printed <= cell.high


def reproduction_lines(told: Reproduction) -> list[list[str]]:
    """Each number of ours beside the printed one, the head first."""
    return [
        ["row", "column", "printed", "ours", "difference"],
        *(
            [cell.row, cell.column, shown(cell, cell.printed), ours(cell), difference(cell)]
            for cell in told.cells
        ),
    ]


def reproduction_view(told: Reproduction) -> dict[str, Any]:
    """What the template may name."""
    return {
        "title": f"{told.label}, run again: {told.title}",
        "told_of": told,
        "took": duration(told.seconds),
        "sections": [_grid(told)],
        "references": references([*METHODS[told.paper], *_methods(told.settings)]),
        "drawings": [_drawing(matrix, n, told) for n, matrix in enumerate(told.matrices)],
    }


def shown(cell: Cell, value: float | str | None) -> str:
    """A printed number or ours, in the unit of the cell."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    return percent(value) if cell.unit == "share" else number(value)


def ours(cell: Cell) -> str:
    """Our number with its interval, reference and p."""
    below = beside(cell)
    return shown(cell, cell.value) + (f" ({below})" if below else "")


def beside(cell: Cell) -> str:
    """Interval, reference and p of our number."""
    told = []
    if isinstance(cell.value, float) and cell.low is not None and cell.high is not None:
        share = cell.unit == "share"
        signed = share and cell.low < 0
        ends = f"{number(cell.low)} to {number(cell.high)}"
        if share:
            ends = between(cell.low, cell.high)
        if signed:
            ends = f"{points(cell.low)} to {points(cell.high)}"
        told.append(ends)
    if cell.reference is not None:
        told.append(f"reference {shown(cell, cell.reference)}")
    if cell.p is not None:
        told.append(f"p {p_value(cell.p)}")
    return "; ".join(told)


def difference(cell: Cell) -> str:
    """Ours minus printed."""
    if not isinstance(cell.printed, float) or not isinstance(cell.value, float):
        return NOTHING
    apart = cell.value - cell.printed
    return points(apart) if cell.unit == "share" else number(apart)


def _differs(told: Reproduction) -> str:
    text = "; ".join(told.differs) or "as printed"
    return text[0].upper() + text[1:] + "."


def _grid(told: Reproduction) -> Section:
    """Rows and columns as in the paper; columns that it does not have follow."""
    rows = _named([cell.row for cell in told.cells])
    printed = [cell.column for cell in told.cells if cell.printed is not None]
    columns = _named([*printed, *(cell.column for cell in told.cells)])
    cells = {(cell.row, cell.column): cell for cell in told.cells}
    table: section.Table = [["", *columns]]
    for row in rows:
        line: list[section.Cell] = [row]
        for column in columns:
            cell = cells.get((row, column))
            line.append(NOTHING if cell is None else _in_grid(cell))
        table.append(line)
    return Section(
        title="Printed and ours",
        note="Ours in bold, below it interval, reference, p and what is printed. "
        + told.stated,
        table=table,
    )


def _in_grid(cell: Cell) -> section.Cell:
    printed = "" if cell.printed is None else f"printed {shown(cell, cell.printed)}"
    below = "; ".join(part for part in (beside(cell), printed) if part)
    return (shown(cell, cell.value), below) if below else shown(cell, cell.value)


def _drawing(matrix: ClassMatrix, place: int, told: Reproduction) -> dict[str, Any]:
    """Heat map and chord diagram of an attack matrix, or the similarity beside it."""
    values, names = _array(matrix.values), matrix.classes
    if matrix.kind == "similarity":
        attack = next(m for m in told.matrices if (m.title, m.kind) == (matrix.title, "attack"))
        figure = svg(beside_flows(values, _array(attack.values), names), f"similarity{place}")
        return {
            "title": matrix.title,
            "kind": "similarity of the class weights",
            "figures": [figure],
        }
    chosen = busiest(values)
    part, some = values[np.ix_(chosen, chosen)], [names[i] for i in chosen]
    where = {index: n for n, index in enumerate(chosen)}
    pairs = [(where[i], where[j]) for i, j in matrix.pairs if i in where and j in where]
    figures = [svg(plot_attack_matrix(part, some, pairs), f"matrix{place}")]
    if off_diagonal(part).any():
        figures.append(svg(plot_chord(part, some, pairs), f"chord{place}"))
    kind = (
        "attack matrix" if len(chosen) == len(names) else f"attack matrix, {READABLE} classes"
    )
    return {"title": matrix.title, "kind": kind, "figures": figures}


def _methods(asked: Any) -> list[str]:
    """Names of the attacks and defenses in the settings."""
    if isinstance(asked, list):
        return [name for entry in asked for name in _methods(entry)]
    if not isinstance(asked, dict):
        return []
    own = [asked["name"]] if isinstance(asked.get("name"), str) else []
    return own + [name for value in asked.values() for name in _methods(value)]


def _named(names: Sequence[str]) -> list[str]:
    """Each name once, in the order of the first."""
    return [*dict.fromkeys(names)]


def _array(matrix: list[list[float | None]]) -> np.ndarray:
    return np.array(matrix, dtype=np.float64)  # None becomes NaN: undefined
