"""What a corrector does once the logits of its supporting classes are 20 lower.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2.
"""

from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf


def lowered_classes(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack, under the corrector that was fitted on it."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    cells = []
    for row, attack in table.asked["rows"].items():
        found = study.explanations[attack].attacks[0]
        random = found.lowered_random
        cells.append(share_cell(table, row, "corrected", found.corrected))
        cells.append(
            share_cell(
                table,
                row,
                "still corrected",
                found.lowered.right,
                reference=random.right.value,
            )
        )
        cells.append(
            share_cell(
                table,
                row,
                "stays the attacked class",
                found.lowered.fallen_back,
                reference=random.fallen_back.value,
            )
        )
    return Measurement(
        stated="After the supporting classes' logits were lowered by 20. Reference: the same "
        "with as many random classes. Intervals: Wilson.",
        cells=cells,
    )
