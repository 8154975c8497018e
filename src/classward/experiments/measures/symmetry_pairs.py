"""Which classes are each other's top target (Figs. 1 and 4).

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Def. 2, Figs. 1 and 4.
"""

from classward.analysis.analyze import analyze
from classward.analysis.attack_matrix import attack_proportion
from classward.experiments.measurement import Measurement, drawn, printed_in, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.record import Record
from classward.records.reproduction_result import Cell

FIRST, SECOND, THERE, BACK = "first class", "second class", "there", "back"
EVERY, FOUND, EXPECTED = "all classes", "mutual pairs", "classes in a pair"


def symmetry_pairs(table: PaperTable, shelf: Shelf) -> Measurement:
    """A row for each pair the paper names, and for each found besides.

    Ours for the first class of a printed pair is the top target of the second, and the other
    way round: both agree with the paper exactly where the pair is mutual.
    """
    asked = table.asked
    record = shelf.record(asked["network"], asked["attack"], samples=asked["samples"])
    analysis = analyze(record, seed=shelf.seed)
    names, found = record.class_names, analysis.maximum_symmetry_pairs
    inside = 2 * len(found) / len(names)
    cells = [
        Cell(row=EVERY, column=FOUND, unit="number", value=float(len(found))),
        Cell(row=EVERY, column=EXPECTED, value=inside, samples=len(names)),
    ]
    told = {
        row: (names.index(one), names.index(other)) for row, (one, other) in _printed(table)
    }
    for one, other in found:
        if (one, other) not in {tuple(sorted(pair)) for pair in told.values()}:
            told[f"{names[one]}, {names[other]}"] = one, other
    for row, (one, other) in told.items():
        cells += _pair(table, record, row, one, other)
    return Measurement(
        stated="Mutual: each is the other's top target, and the shares differ by less than "
        "0.2. For a printed pair, ours is the top target of its other class. Intervals: "
        "Wilson, over the images of the class.",
        cells=cells,
        matrices=drawn(EVERY, analysis),
    )


def _printed(table: PaperTable) -> list[tuple[str, tuple[str, str]]]:
    return [(row, (str(one), str(other))) for row, (one, other) in table.printed.items()]


def _pair(table: PaperTable, record: Record, row: str, one: int, other: int) -> list[Cell]:
    matrix, names = record.attack_matrix().nan_to_num(0).fill_diagonal_(-1), record.class_names
    cells = [
        Cell(
            row=row,
            column=column,
            unit="text",
            printed=printed_in(table, row, column),
            value=names[int(matrix[partner].argmax())],
        )
        for column, partner in {FIRST: other, SECOND: one}.items()
    ]
    for column, (source, target) in {THERE: (one, other), BACK: (other, one)}.items():
        share = attack_proportion(record.labels, record.predictions, source, target)
        cells.append(share_cell(table, row, column, share))
    return cells
