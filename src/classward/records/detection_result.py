"""How well attacked logits are told from clean ones."""

from typing import Any

from classward.records.result import Result, result


@result
class Detection(Result):
    """One detector on one attack.

    Attributes:
        auroc: Chance that an attacked image scores above a clean one, ties half.
        low: Lower end of its 95 % interval (Hanley and McNeil, 1982).
        high: Upper end.
        aupr: Area under precision and recall, as average precision.
        fpr95: Share of clean images flagged where 95 % of the attacked ones are.
        clean: Clean images.
        attacked: Attacked ones, all of which succeeded.
    """

    auroc: float
    low: float
    high: float
    aupr: float
    fpr95: float
    clean: int
    attacked: int


@result
class DetectionTable(Result):
    """Detectors (columns) on attacks (rows); no attacker here knows of a detector.

    Attributes:
        fitted_on: Attacks the detectors were fitted on.
        detectors: Names of the columns.
        attacks: Names of the rows.
        cells: One list for each row; undefined where nothing fell.
    """

    fitted_on: list[str]
    detectors: list[str]
    attacks: list[str]
    cells: list[list[Detection | None]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack: the AUROC of each detector."""
        return [
            {"attack": name}
            | {
                detector: None if cell is None else cell.auroc
                for detector, cell in zip(self.detectors, row, strict=True)
            }
            for name, row in zip(self.attacks, self.cells, strict=True)
        ]
