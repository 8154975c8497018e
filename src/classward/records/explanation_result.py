"""What a corrector listens to: supporting classes, each figure beside what chance gives."""

from dataclasses import field
from typing import Any

from classward.records.instance_result import Instance
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
class Counted(Result):
    """How often each class is among those of the greatest scores.

    Attributes:
        counts: Class -> samples in which it is among those; most frequent first.
        supporting: The most frequent classes, as many as are looked at.
        top_share: Share of samples in which the most frequent class is counted.
        follows_logits: Spearman correlation of the counts with the mean logits under the
            attack; far from 0, the counts may be a trait of inputs that are not centered.
        references: Counts of random weights, permuted labels, another seed, if one is given,
            and of one half of the samples beside the other.
    """

    counts: dict[str, int]
    supporting: list[str]
    top_share: float
    follows_logits: float | None
    references: dict[str, SupportReference]


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
class First(Result):
    """Whose logit pulls most, of S.

    Attributes:
        label: Share of the samples in which it is that of the label.
        attacked: Of those that fell, share in which it is that of the attacked class.
    """

    label: Share
    attacked: Share


@result
class MeanLogits(Result):
    """Samples by the mean of their logits, before the attack and after it (Fig. 1).

    Attributes:
        edges: Of the bins, in logits; one more than there are bins.
        clean: Samples in each bin before the attack.
        attacked: The same samples after it.
    """

    edges: list[float]
    clean: list[int]
    attacked: list[int]


@result
class SupportingClasses(Result):
    """Supporting classes of a corrector under one attack (Sec. 5.2 of the logits paper).

    Attributes:
        attack: The attack.
        samples: Samples that were right before it: the selected ones.
        looked_at: How many classes of each sample are counted.
        expected_share: `top_share` if every class were counted alike often.
        joined: Counts by S, the difference of the two parts that follow.
        own: Counts by H_i alone. Like the next, they depend on a constant that no fit sees.
        mean: Counts by -H_mean alone.
        corrected: Share that the corrector gets right.
        first_corrected: Whose logit pulls most, in samples that it gets right.
        first_missed: The same in the others.
        lowered: After the logits of the supporting classes were reduced.
        lowered_random: After those of as many random classes were, over several draws.
        by: How far they were reduced.
        mean_logits: Samples by their mean logit.
    """

    attack: str
    samples: int
    looked_at: int
    expected_share: float
    joined: Counted
    own: Counted
    mean: Counted
    corrected: Share
    first_corrected: First
    first_missed: First
    lowered: Lowered
    lowered_random: Lowered
    by: float
    mean_logits: MeanLogits


@result
class Explanation(Result):
    """Supporting classes under each attack, and how they overlap.

    Attributes:
        corrector: The corrector, with its options.
        attacks: One entry for each attack.
        overlap: Bhattacharyya coefficients between the attacks, in their order.
        images: Frequent class -> a clean image of it that was right, as a data URI of a PNG;
            empty if no data were given.
        instance: One sample under each attack, if one was asked for.
    """

    corrector: str
    attacks: list[SupportingClasses]
    overlap: Matrix
    images: dict[str, str] = field(default_factory=dict)
    instance: Instance | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack."""
        return [
            {
                "attack": entry.attack,
                "supporting": ", ".join(entry.joined.supporting),
                "top_share": entry.joined.top_share,
                "corrected": entry.corrected.value,
                "lowered": entry.lowered.right.value,
                "lowered_random": entry.lowered_random.right.value,
            }
            for entry in self.attacks
        ]
