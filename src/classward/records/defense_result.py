"""Result of comparing training defenses."""

from typing import Any

from classward.records.result import Result, Share, result


@result
class DefenseRow(Result):
    """One training defense under several attacks.

    Attributes:
        defense: Its name.
        options: The defense, with its options.
        accuracy: Column name ("clean", attack names, "worst case") -> accuracy.
        seconds: Wall time of its training.
    """

    defense: str
    options: str
    accuracy: dict[str, Share]
    seconds: float


@result
class DefenseTable(Result):
    """Training defenses compared at equal cost.

    Attributes:
        defenses: One row for each.
        training: What was equal for all: data, model, attack, epochs, seeds.
        difference: Column -> [difference of the last row and the first, low, high] (paired).
    """

    defenses: list[DefenseRow]
    training: dict[str, str | int | float]
    difference: dict[str, tuple[float, float, float]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each defense."""
        return [
            {"defense": row.defense} | {name: s.value for name, s in row.accuracy.items()}
            for row in self.defenses
        ]
