"""What a measure returns, and the cells that most of them are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classward.core.errors import InputError
from classward.experiments.paper_table import PaperTable
from classward.records.analysis_result import Analysis
from classward.records.reproduction_result import Cell, ClassMatrix
from classward.records.result import Share, Statistic


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Numbers and matrices of a table.

    Attributes:
        stated: How intervals, p-values and references are made, one sentence.
        cells: The numbers.
        matrices: What is to be drawn.
    """

    stated: str
    cells: list[Cell]
    matrices: list[ClassMatrix] = field(default_factory=list)


def printed_in(table: PaperTable, row: str, column: str) -> float | str | None:
    """What the paper has there, shares in [0, 1]; undefined where it has nothing.

    Raises:
        InputError: If the row has no entry for the column.
    """
    if row not in table.printed or column not in table.columns:
        return None
    entries = table.printed[row]
    if len(entries) != len(table.columns):
        raise InputError(f"{table.name}: row '{row}' needs {len(table.columns)} entries")
    entry = entries[table.columns.index(column)]
    if isinstance(entry, str):
        return entry or None
    return entry / 100 if table.unit == "percent" else float(entry)


def share_cell(table: PaperTable, row: str, column: str, share: Share, **more: Any) -> Cell:
    """A share with its Wilson interval."""
    return Cell(
        row=row,
        column=column,
        printed=printed_in(table, row, column),
        value=share.value,
        low=share.low,
        high=share.high,
        samples=share.total,
        **more,
    )


def statistic_cell(
    table: PaperTable, row: str, column: str, found: Statistic | None, **more: Any
) -> Cell:
    """A statistic beside its null; empty where it does not exist."""
    known = (
        {} if found is None else {"value": found.value, "reference": found.null, "p": found.p}
    )
    printed = printed_in(table, row, column)
    return Cell(row=row, column=column, printed=printed, **(known | more))


def drawn(title: str, analysis: Analysis) -> list[ClassMatrix]:
    """The attack matrix of an analysis, and the similarity of the class weights if known."""
    matrices = [
        ClassMatrix(
            title=title,
            kind="attack",
            classes=analysis.classes,
            values=analysis.attack_matrix,
            pairs=analysis.maximum_symmetry_pairs,
        )
    ]
    if analysis.weight_similarity is not None:
        matrices.append(
            ClassMatrix(
                title=title,
                kind="similarity",
                classes=analysis.classes,
                values=analysis.weight_similarity,
                pairs=[],
            )
        )
    return matrices


def rows_of(table: PaperTable) -> Mapping[str, Mapping[str, Any]]:
    """The rows that this scale measures.

    Raises:
        InputError: If the file asks for none.
    """
    rows = {name: row for name, row in table.asked.get("rows", {}).items() if row}
    if not rows:
        raise InputError(f"{table.name}: scale {table.scale} has no rows")
    return rows
