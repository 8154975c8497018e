"""Result of running a table or figure of a paper again: printed numbers beside ours."""

from typing import Any, Literal

from classward.core.errors import InputError
from classward.records.result import Matrix, Pairs, Result, result

Unit = Literal["share", "number", "text"]


@result
class Cell(Result):
    """One number of a table, or one word.

    Attributes:
        row: Its row.
        column: Its column.
        unit: Of what is printed and of ours.
        printed: What the paper has there; undefined where it has nothing.
        value: Ours; undefined where it was not measured, or does not exist.
        low: Lower end of its 95 % interval.
        high: Its upper end.
        samples: Samples it is over.
        p: p-value of the test that the measure states.
        reference: What chance, or the control that the measure states, gives.
    """

    row: str
    column: str
    unit: Unit = "share"
    printed: float | str | None = None
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    samples: int | None = None
    p: float | None = None
    reference: float | None = None


@result
class ClassMatrix(Result):
    """A matrix over classes, to be drawn.

    Attributes:
        title: What it is of.
        kind: An attack matrix, or the similarity of class weights.
        classes: Names of rows and columns.
        values: Entries.
        pairs: Maximum symmetry pairs of an attack matrix.
    """

    title: str
    kind: Literal["attack", "similarity"]
    classes: list[str]
    values: Matrix
    pairs: Pairs


@result
class Reproduction(Result):
    """A table or figure of a paper, run again.

    Attributes:
        name: The file that defines it, such as "symmetry/table1".
        paper: The paper, "symmetry" or "logits".
        label: What the paper calls it.
        title: What it shows.
        section: Where it stands.
        setting: What the paper used.
        scale: "small", "medium" or "paper".
        differs: What was used here instead, a phrase each.
        measure: Name of the measure.
        stated: How its intervals, p-values and references are made.
        cells: All numbers, row by row.
        matrices: What is to be drawn.
        settings: Everything that was asked, plain JSON values.
        versions: Versions of what computed it.
        seconds: What it took from what was kept when it began.
    """

    name: str
    paper: Literal["symmetry", "logits"]
    label: str
    title: str
    section: str
    setting: str
    scale: Literal["small", "medium", "paper"]
    differs: list[str]
    measure: str
    stated: str
    cells: list[Cell]
    matrices: list[ClassMatrix]
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float

    def cell(self, row: str, column: str) -> Cell:
        """The cell of that row and column.

        Raises:
            InputError: If there is none.
        """
        for cell in self.cells:
            if (cell.row, cell.column) == (row, column):
                return cell
        raise InputError(f"{self.name}: no cell '{row}', '{column}'")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each cell."""
        return [cell.to_dict() for cell in self.cells]
