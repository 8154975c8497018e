"""One sample as a corrector sees it under each attack."""

from typing import Any

from classward.records.result import Matrix, Result, result


@result
class Pull(Result):
    """How much a logit pulls the corrected prediction to the label.

    Attributes:
        name: Class of the logit.
        value: S of the logits paper, corrected logits for each unit of this logit.
    """

    name: str
    value: float


@result
class AttackedInstance(Result):
    """The sample under one attack.

    Attributes:
        attack: The attack.
        said: Class the attack left.
        corrected: Class after correction.
        pulls: The logits that pull most, the strongest first.
    """

    attack: str
    said: str
    corrected: str
    pulls: list[Pull]


@result
class Instance(Result):
    """One sample under each attack (appendix B of the logits paper).

    Attributes:
        sample: Its id.
        label: Its true class.
        attacks: One entry for each attack.
        compared: How many of the strongest pulls of each attack `overlap` compares.
        overlap: Jaccard index of their classes between the attacks, in their order.
    """

    sample: int
    label: str
    attacks: list[AttackedInstance]
    compared: int
    overlap: Matrix

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack and each of its pulls."""
        return [
            {
                "attack": entry.attack,
                "said": entry.said,
                "corrected": entry.corrected,
                "class": pull.name,
                "pull": pull.value,
            }
            for entry in self.attacks
            for pull in entry.pulls
        ]
