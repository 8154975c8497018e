"""Results of logits correction: three columns, and transfer between attacks."""

from typing import Any, Literal

from classward.records.result import Result, Share, result


@result
class CorrectionRow(Result):
    """One attack on a corrected classifier.

    Attributes:
        attack: The attack, made on the bare classifier.
        no_defense: Accuracy of the bare classifier under it.
        gray_box: Accuracy of the corrected one on the same images (the paper's evaluation).
        gray_box_selected: The same over samples the bare classifier got right when clean.
    """

    attack: str
    no_defense: Share
    gray_box: Share
    gray_box_selected: Share


@result
class CorrectionTable(Result):
    """A corrector in three columns: no defense, gray-box, adaptive.

    Attributes:
        corrector: The corrector, with its options.
        fitted_on: Attacks whose records it was fitted on.
        training_samples: Number of training samples.
        clean: Accuracy of the bare classifier on clean images.
        clean_corrected: Accuracy with the corrector on clean images.
        clean_selected: With the corrector, over samples the bare classifier got right.
        gray_box: One row for each attack that does not know the corrector.
        adaptive: Attack made end to end on the corrected classifier -> accuracy under it.
        adaptive_worst: Accuracy under all of those together that stay in the ball.
        eps: Radius of the adaptive attacks.
        norm: Their norm.
    """

    corrector: str
    fitted_on: list[str]
    training_samples: int
    clean: Share
    clean_corrected: Share
    clean_selected: Share
    gray_box: list[CorrectionRow]
    adaptive: dict[str, Share]
    adaptive_worst: Share
    eps: float
    norm: Literal["linf", "l2"]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack: no defense, gray-box, adaptive worst case."""
        return [
            {
                "attack": row.attack,
                "no_defense": row.no_defense.value,
                "gray_box": row.gray_box.value,
                "adaptive": self.adaptive_worst.value,
            }
            for row in self.gray_box
        ]

    def label_leak(self) -> dict[str, float | None]:
        """Attack -> gray-box minus clean accuracy, where the bare classifier erred when clean.

        Above 0 the attack, which is told the label, has told the corrector. Undefined where the
        bare classifier made no error.
        """
        clean = _unselected(self.clean_corrected, self.clean_selected)
        attacked = {
            row.attack: _unselected(row.gray_box, row.gray_box_selected)
            for row in self.gray_box
        }
        return {
            name: None if share is None or clean is None else share - clean
            for name, share in attacked.items()
        }


def _unselected(every: Share, selected: Share) -> float | None:
    total = every.total - selected.total
    return (every.count - selected.count) / total if total else None


@result
class TransferTable(Result):
    """Accuracy of each corrector (column) on each attack (row), over selected samples.

    Attributes:
        attacks: Names of the rows; the last is "clean".
        correctors: Names of the columns.
        accuracy: One list for each row.
        samples: Selected samples: right before the attack.
    """

    attacks: list[str]
    correctors: list[str]
    accuracy: list[list[Share]]
    samples: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack."""
        return [
            {"attack": name} | {c: s.value for c, s in zip(self.correctors, row, strict=True)}
            for name, row in zip(self.attacks, self.accuracy, strict=True)
        ]
