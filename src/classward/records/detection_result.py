"""How well attacked logits are told from clean ones."""

from typing import Any, Literal

from classward.records.result import Result, Share, result


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
class Evasion(Result):
    """One detector against attackers who do not know it, and one who does.

    Attributes:
        false_alarms: Share of the clean images that were right and are flagged.
        missed: Attack -> share of them that end misclassified and not flagged.
    """

    false_alarms: Share
    missed: dict[str, Share]


@result
class DetectionUnderAttack(Result):
    """Detectors that flag 5 % of the clean images they were fitted on, under attack.

    Attributes:
        norm: Norm of the attacks.
        eps: Their radius, in pixel units.
        samples: Images that were right before: all shares are of these.
        fell: Attack that knows of no detector -> share it turns, flagged or not.
        adaptive: Name of the attack that knows the detector, made on each anew.
        detectors: Detector -> what evades it. What the adaptive attack cannot differentiate
            has no entry for it.
    """

    norm: Literal["linf", "l2"]
    eps: float
    samples: int
    fell: dict[str, Share]
    adaptive: str
    detectors: dict[str, Evasion]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each detector: what it misses under each attack."""
        return [
            {"detector": name, "false_alarms": entry.false_alarms.value}
            | {attack: share.value for attack, share in entry.missed.items()}
            for name, entry in self.detectors.items()
        ]


@result
class DetectionTable(Result):
    """Detectors (columns) on attacks (rows) that know of none.

    Attributes:
        fitted_on: Attacks the detectors were fitted on.
        detectors: Names of the columns.
        attacks: Names of the rows.
        cells: One list for each row; undefined where nothing fell, or where a detector needs
            images that were not kept.
        under_attack: The same detectors under attackers of whom one knows them, if asked for.
    """

    fitted_on: list[str]
    detectors: list[str]
    attacks: list[str]
    cells: list[list[Detection | None]]
    under_attack: DetectionUnderAttack | None = None

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
