"""Correctors on attacks they were not fitted on (Table 3).

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.3, Table 3.
"""

from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf


def corrector_transfer(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack, each column the corrector of another; names are the paper's."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    found, names = study.transfer, table.asked["names"]
    cells = []
    for row in [*table.printed, "clean"]:
        line = found.accuracy[found.attacks.index(names.get(row, row))]
        for column in [*table.columns, *table.asked["more_columns"]]:
            entry = line[found.correctors.index(names.get(column, column))]
            cells.append(share_cell(table, row, column, entry))
    return Measurement(
        stated="Over images that the network gets right when clean. Intervals: Wilson.",
        cells=cells,
    )
