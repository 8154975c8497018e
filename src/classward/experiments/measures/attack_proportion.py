"""Which class the adversarial images of one class go to, and how many of them (Fig. 2).

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 2, Fig. 2.
"""

from classward.analysis.analyze import analyze
from classward.analysis.attack_matrix import attack_proportion as proportion
from classward.core.errors import InputError
from classward.experiments.measurement import (
    Measurement,
    drawn,
    rows_of,
    share_cell,
)
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.reproduction_result import Cell

NAMED, TARGET, SHARE = "attack proportion", "top target", "share of the top target"


def attack_proportion(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a class under an attack; `target` is the one the paper names."""
    cells, matrices = [], []
    for row, asked in rows_of(table).items():
        record = shelf.record(asked["network"], asked["attack"], samples=table.asked["samples"])
        names = record.class_names
        for told in (asked["source"], asked["target"]):
            if told not in names:
                raise InputError(f"{table.name}, {row}: no class '{told}'")
        source = names.index(asked["source"])
        matrix = record.attack_matrix()
        others = matrix[source].clone()
        others[source] = -1
        top = int(others.argmax())
        even = (1 - matrix[source, source].item()) / (len(names) - 1)
        shares = {NAMED: names.index(asked["target"]), SHARE: top}
        for column, target in shares.items():
            found = proportion(record.labels, record.predictions, source, target)
            cells.append(share_cell(table, row, column, found, reference=even))
        told = Cell(
            row=row,
            column=TARGET,
            unit="text",
            printed=asked["target"],
            value=names[top],
        )
        cells.append(told)
        matrices += drawn(row, analyze(record, seed=shelf.seed))
    return Measurement(
        stated="Intervals: Wilson, over the images of the class. Reference: what every other "
        "class would have if all had alike.",
        cells=cells,
        matrices=matrices,
    )
