"""Detectors of attacked logits: their sentences and their tables as text."""

from classward.records.detection_result import DetectionTable, DetectionUnderAttack
from classward.reporting.wording import listed, number, percent, words


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
    under = table.under_attack
    known = "Attackers who do not know the detector. One who does goes around it."
    return {
        "Can attacked logits be told": f"Fitted on {listed(table.fitted_on)}: {told}.",
        "Against whom": known if under is None else _evaded(under),
    }


def detection_tables(table: DetectionTable) -> list[list[list[str]]]:
    """AUROC of each detector, and what evades it if that was asked; the heads first."""
    under = table.under_attack
    return [detection_rows(table), *([] if under is None else [_evasions(under)])]


def detection_rows(table: DetectionTable) -> list[list[str]]:
    """AUROC of each detector (lines) on each attack (columns)."""
    lines = [["detector", *map(words, table.attacks)]]
    for name, column in zip(table.detectors, zip(*table.cells, strict=True), strict=True):
        areas = [None if cell is None else cell.auroc for cell in column]
        lines.append([name, *map(number, areas)])
    return lines


def _evasions(under: DetectionUnderAttack) -> list[list[str]]:
    """What each detector (lines) misses of each attack (columns)."""
    attacks = [*under.fell, under.adaptive]
    lines = [["misclassified, not flagged", *map(words, attacks)]]
    for name, entry in under.detectors.items():
        missed = [entry.missed.get(attack) for attack in attacks]
        lines.append([name, *("not run" if s is None else percent(s.value) for s in missed)])
    return lines


def _evaded(under: DetectionUnderAttack) -> str:
    """What the best detector misses under each attack."""
    told = []
    for attack in (*under.fell, under.adaptive):
        shares = {
            name: entry.missed[attack].value
            for name, entry in under.detectors.items()
            if attack in entry.missed
        }
        defined = {name: value for name, value in shares.items() if value is not None}
        if defined:
            best = min(defined, key=lambda name: defined[name])
            told.append(f"{words(attack)} {percent(defined[best])} (by {best})")
    return (
        f"Of {under.samples} images, the best detector at 5% false alarms lets through, "
        f"misclassified and not flagged: {'; '.join(told)}."
    )
