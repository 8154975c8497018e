"""Whether attacks with the same supporting classes share their correctors.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2.
"""

from collections.abc import Mapping

from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, printed_in, statistic_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.explanation_result import Explanation
from classward.records.reproduction_result import Cell

FOLLOWS = "overlap with transfer"


def support_overlap(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a pair of attacks, "PGD and MIM"."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    found, names = study.supporting, table.asked["names"]
    cells = []
    for row in table.printed:
        one, other = (found.attacks.index(names[name]) for name in row.split(" and "))
        cells.append(
            Cell(
                row=row,
                column=table.columns[0],
                unit="number",
                printed=printed_in(table, row, table.columns[0]),
                value=found.overlap[one][other],
                reference=_seeds(study.explanations, names[row.split(" and ")[0]]),
            )
        )
    cells.append(statistic_cell(table, "all pairs", FOLLOWS, found.correlation, unit="number"))
    return Measurement(
        stated="Bhattacharyya coefficient of the counts of supporting classes. Reference: that "
        "of the first attack's corrector and one of another seed, the most that could be. "
        "Overlap with transfer: Spearman correlation over ordered pairs of attacks, p by "
        "permuting attacks.",
        cells=cells,
    )


def _seeds(explanations: Mapping[str, Explanation], attack: str) -> float | None:
    """Overlap of two correctors of one attack that differ in their seed."""
    references = explanations[attack].attacks[0].joined.references
    return references["another seed"].overlap if "another seed" in references else None
