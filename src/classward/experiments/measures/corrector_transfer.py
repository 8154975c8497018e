"""Correctors on attacks they were not fitted on (Table 3).

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.3, Table 3.
"""

from classward.analysis.significance import share
from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.record import Record
from classward.records.result import Share

RULE = "second-highest class"  # a rule that needs no fit


def corrector_transfer(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack, each column the corrector of another; names are the paper's."""
    study, folder = kept_study(shelf, str(table.asked["group"]))
    found, names = study.transfer, table.asked["names"]
    cells = []
    for row in [*table.printed, "clean"]:
        line = found.accuracy[found.attacks.index(names.get(row, row))]
        for column in [*table.columns, *table.asked["more_columns"]]:
            entry = line[found.correctors.index(names.get(column, column))]
            cells.append(share_cell(table, row, column, entry))
        if row in names:
            record = Record.open(folder / f"test-{names[row]}")
            cells.append(share_cell(table, row, RULE, second_highest(record)))
    return Measurement(
        stated="Over images that the network gets right when clean. Intervals: Wilson. "
        f"Beside the correctors, a rule: answer the {RULE}.",
        cells=cells,
    )


def second_highest(record: Record) -> Share:
    """How often the second-highest class is right under attack, of images right before."""
    logits = record.adversarial_logits[record.correct]
    second = logits.topk(2, dim=1).indices[:, 1]
    return share(int((second == record.labels[record.correct]).sum()), len(logits))
