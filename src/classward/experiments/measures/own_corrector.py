"""Correctors on the attack they were fitted on (Tables 1 and 2).

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.3, Tables 1 and 2.
"""

from classward.core.errors import InputError
from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.correction_study_result import CorrectionStudy, OwnAttack
from classward.records.record import Record
from classward.records.reproduction_result import Cell

ADAPTIVE, DAMAGED, LENGTH = "adaptive", "right ones damaged", "mean l2"
COLUMNS = {
    "clean": ("selected", "clean"),
    "clean corrected": ("selected", "clean_corrected"),
    "adversarial": ("selected", "attacked"),
    "adversarial corrected": ("selected", "attacked_corrected"),
}


def own_corrector(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a network and an attack; columns may end in ", full" or ", selected"."""
    study, folder = kept_study(shelf, str(table.asked["group"]))
    cells = []
    for row, asked in table.asked["rows"].items():
        network = str(asked.get("network", study.model))
        found = _found(study, network, str(asked["attack"]), table.name)
        for column in table.columns:
            subset, field = _field(column)
            cells.append(share_cell(table, row, column, getattr(getattr(found, subset), field)))
        cells.append(share_cell(table, row, DAMAGED, found.damaged))
        if network == study.model:
            adaptive = study.adaptive[found.corrector].adaptive_worst
            cells.append(share_cell(table, row, ADAPTIVE, adaptive))
            cells.append(length(row, Record.open(folder / f"test-{asked['attack']}")))
    return Measurement(
        stated="Intervals: Wilson. Adaptive: under attacks on network and corrector together, "
        "each in the ball, all of them counted. Mean l2: of the perturbations, over selected "
        "images, with 1.96 standard errors.",
        cells=cells,
    )


def length(row: str, record: Record) -> Cell:
    """How far the attack moves an image that was right, in pixel units in [0, 1]."""
    lengths = record.l2[record.correct].double()
    mean, error = lengths.mean().item(), (lengths.std() / len(lengths) ** 0.5).item()
    return Cell(
        row=row,
        column=LENGTH,
        unit="number",
        value=mean,
        low=mean - 1.96 * error,
        high=mean + 1.96 * error,
        samples=len(lengths),
    )


def _found(study: CorrectionStudy, network: str, attack: str, where: str) -> OwnAttack:
    for found in study.own:
        if (found.network, found.corrector, found.attack) == (network, attack, attack):
            return found
    raise InputError(f"{where}: the study has no corrector of {attack} on {network}")


def _field(column: str) -> tuple[str, str]:
    """Where `OwnAttack` has a printed column.

    >>> _field("PGD corrected, full"), _field("clean")
    (('full', 'attacked_corrected'), ('selected', 'clean'))
    """
    name, _, subset = column.partition(", ")
    name = name.replace("PGD", "adversarial")
    return subset or COLUMNS[name][0], COLUMNS[name][1]
