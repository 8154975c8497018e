"""What a corrector listens to: supporting classes, each figure beside what chance gives."""

from typing import Any

from classward.records.result import Matrix, Result, Share, result


@result
class SupportReference(Result):
    """The same counts of something that has learned nothing of this attack, or of itself.

    Attributes:
        top_share: Share of samples in which its most frequent class is counted.
        overlap: Bhattacharyya coefficient of its counts and those of the corrector.
    """

    top_share: float
    overlap: float | None


@result
class Lowered(Result):
    """Corrected predictions after some input logits were reduced.

    Attributes:
        right: Share that is still corrected.
        fallen_back: Share that is the attacked class again.
    """

    right: Share
    fallen_back: Share


@result
class SupportingClasses(Result):
    """Supporting classes of a corrector under one attack (Sec. 5.2 of the logits paper).

    Attributes:
        attack: The attack.
        samples: Samples that were right before it: the selected ones.
        looked_at: How many classes of each sample are counted.
        counts: Class -> samples in which it is among those, by S; most frequent first.
        supporting: The most frequent classes, as many as are looked at.
        top_share: Share of samples in which the most frequent class is counted.
        expected_share: The same if every class were counted alike often.
        top_is_label: Share of the corrected whose greatest S is that of the label itself.
        top_is_label_missed: The same of those that were not corrected.
        references: Counts of random weights, permuted labels, another seed, if one is given,
            and of one half of the samples beside the other.
        corrected: Share that the corrector gets right.
        lowered: After the logits of the supporting classes were reduced.
        lowered_random: After those of as many random classes were, over several draws.
        by: How far they were reduced.
    """

    attack: str
    samples: int
    looked_at: int
    counts: dict[str, int]
    supporting: list[str]
    top_share: float
    expected_share: float
    top_is_label: Share
    top_is_label_missed: Share
    references: dict[str, SupportReference]
    corrected: Share
    lowered: Lowered
    lowered_random: Lowered
    by: float


@result
class Explanation(Result):
    """Supporting classes under each attack, and how they overlap.

    Attributes:
        corrector: The corrector, with its options.
        attacks: One entry for each attack.
        overlap: Bhattacharyya coefficients between the attacks, in their order.
    """

    corrector: str
    attacks: list[SupportingClasses]
    overlap: Matrix

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack."""
        return [
            {
                "attack": entry.attack,
                "supporting": ", ".join(entry.supporting),
                "top_share": entry.top_share,
                "corrected": entry.corrected.value,
                "lowered": entry.lowered.right.value,
                "lowered_random": entry.lowered_random.right.value,
            }
            for entry in self.attacks
        ]
