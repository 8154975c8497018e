"""Detectors of attacked logits: their sentence and their table as text."""

from classward.records.detection_result import DetectionTable
from classward.reporting.wording import listed, number, words


def detection_sentences(table: DetectionTable) -> dict[str, str]:
    """The best detector of each attack, and what that is worth."""
    best = []
    for attack, row in zip(table.attacks, table.cells, strict=True):
        cells = [
            (cell.auroc, name, cell)
            for name, cell in zip(table.detectors, row, strict=True)
            if cell is not None
        ]
        if cells:
            area, name, cell = max(cells, key=lambda entry: entry[0])
            best.append(
                f"{words(attack)} best by {name}, AUROC {number(area)} "
                f"({number(cell.low)} to {number(cell.high)})"
            )
    told = "; ".join(best) or "nothing fell, so there is nothing to detect"
    return {
        "Can attacked logits be told": f"Fitted on {listed(table.fitted_on)}: {told}.",
        "Against whom": "Attackers who do not know the detector. One who does goes around it.",
    }


def detection_rows(table: DetectionTable) -> list[list[str]]:
    """AUROC of each detector (lines) on each attack (columns), the head first."""
    lines = [["detector", *map(words, table.attacks)]]
    for name, column in zip(table.detectors, zip(*table.cells, strict=True), strict=True):
        areas = [None if cell is None else cell.auroc for cell in column]
        lines.append([name, *map(number, areas)])
    return lines
