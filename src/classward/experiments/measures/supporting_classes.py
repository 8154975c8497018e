"""Which classes a corrector listens to, beside what chance and untrained ones give.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Secs. 5.1 and 5.2, Figs. 2 to 4.
"""

from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.explanation_result import SupportingClasses
from classward.records.reproduction_result import Cell

TOP = "share of the most frequent class"


def supporting_classes(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack, seen by the corrector that was fitted on it."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    cells = []
    for row, attack in table.asked["rows"].items():
        found = study.explanations[attack].attacks[0]
        cells += _counted(row, found)
        for column, first in {
            "label pulls most, corrected": found.first_corrected,
            "label pulls most, missed": found.first_missed,
        }.items():
            chance = 1 / len(found.joined.counts)
            cells.append(share_cell(table, row, column, first.label, reference=chance))
    return Measurement(
        stated="Counted is how often a class is among those with the greatest S_k of an image "
        "(the first alone where there are ten). Reference of the most frequent one: the "
        "same of a corrector with random weights. Overlap: Bhattacharyya coefficient of the "
        "counts with those of a corrector that differs as said. H_mean alone depends on a "
        "constant that no fit sees.",
        cells=cells,
    )


def _counted(row: str, found: SupportingClasses) -> list[Cell]:
    joined, references = found.joined, found.joined.references
    untrained = references.get("random weights")
    cells = [
        Cell(
            row=row,
            column=TOP,
            value=joined.top_share,
            samples=found.samples,
            reference=None if untrained is None else untrained.top_share,
        ),
        Cell(row=row, column="if all were alike", value=found.expected_share),
        Cell(row=row, column="supporting", unit="text", value=", ".join(joined.supporting)),
        Cell(
            row=row,
            column="most frequent, -H_mean",
            unit="text",
            value=found.mean.supporting[0],
        ),
        Cell(
            row=row, column="share, -H_mean", value=found.mean.top_share, samples=found.samples
        ),
    ]
    for name, reference in references.items():
        if reference.overlap is not None:
            column = f"overlap, {name}"
            cells.append(Cell(row=row, column=column, unit="number", value=reference.overlap))
    return cells
