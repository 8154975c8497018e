"""Whether the mean of an image's logits grows under attack (Fig. 1).

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.1, Fig. 1.
"""

from typing import Any

from classward.analysis.significance import share
from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.detection_result import DetectionTable
from classward.records.record import Record
from classward.records.reproduction_result import Cell

DETECTOR = "mean"


def mean_logits(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack; compared are the images that were right and fell."""
    study, folder = kept_study(shelf, str(table.asked["group"]))
    cells = []
    for row, attack in table.asked["rows"].items():
        record = Record.open(folder / f"test-{attack}")
        fell = record.correct & ~record.robust
        clean, attacked = (
            logits[fell].double().mean(dim=1)
            for logits in (record.clean_logits, record.adversarial_logits)
        )
        grew = share(int((attacked > clean).sum()), len(clean))
        cells.append(share_cell(table, row, "images whose mean grew", grew, reference=0.5))
        for column, values in {"mean, clean": clean, "mean, attacked": attacked}.items():
            value = values.mean().item() if len(values) else None
            cells.append(Cell(row=row, column=column, unit="number", value=value))
        cells.append(_auroc(row, study.detection, attack))
    return Measurement(
        stated="Over images that were right and fell. The detector learns its sign on training "
        "images, so its AUROC says how much the mean tells, not which way it goes.",
        cells=cells,
    )


def _auroc(row: str, table: DetectionTable, attack: str) -> Cell:
    found = table.cells[table.attacks.index(attack)][table.detectors.index(DETECTOR)]
    known: dict[str, Any] = {}
    if found is not None:
        known = {"value": found.auroc, "low": found.low, "high": found.high}
    return Cell(row=row, column="AUROC of the mean", unit="number", reference=0.5, **known)
