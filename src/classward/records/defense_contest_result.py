"""Result of training defenses at equal cost, over several seeds."""

from typing import Any, Literal

from classward.records.result import Result, result


@result
class OverSeeds(Result):
    """An accuracy of one defense.

    Attributes:
        mean: Over the seeds.
        low: Lower end of the 95 % t-interval over seeds; undefined for one seed.
        high: Its upper end.
        by_seed: The accuracy of each seed, in their order.
        samples: Samples it is over.
    """

    mean: float
    low: float | None
    high: float | None
    by_seed: list[float]
    samples: int


@result
class Lead(Result):
    """The difference of two defenses on the same samples and seeds.

    Attributes:
        difference: Mean over samples and seeds, in accuracy.
        low: Lower end of the 95 % interval, over samples.
        high: Its upper end.
        p: Two-sided p-value of the t-test over samples; undefined where all differ alike.
        ahead: Seeds in which the first of the two is higher.
    """

    difference: float
    low: float
    high: float
    p: float | None
    ahead: int


@result
class ContestRow(Result):
    """One defense.

    Attributes:
        name: Its name.
        defense: The defense, with its options.
        passes: What an image costs in a step, in forward passes: 1 forward, 1 more backward to
            the image, 2 more backward to the weights.
        epochs: Epochs it was trained for, so that all cost alike.
        accuracy: Column -> accuracy of the network that the held-out images chose.
        last: Column of the last epoch's network, where it was judged too.
        lead: Column -> what it leads the first defense by; empty for that one.
    """

    name: str
    defense: str
    passes: float
    epochs: int
    accuracy: dict[str, OverSeeds]
    last: OverSeeds
    lead: dict[str, Lead]


@result
class DefenseContest(Result):
    """Training defenses at equal cost, each over several seeds.

    Attributes:
        data: Name of the data.
        model: The network that was trained.
        training_samples: Training images.
        samples: Test images.
        attack: Makes the training images.
        recipe: How the first defense was trained.
        eps: Radius of the attacks that judge.
        norm: Their norm.
        suite: The suite of the column of that name, and on how many samples it ran.
        seeds: Seeds of the trainings.
        defenses: One row for each.
        by_cross_entropy: Names, best first, by PGD on the cross-entropy.
        by_suite: Names, best first, by the suite.
        agreement: Kendall's tau of the two orders; undefined for one defense.
        versions: Versions of what computed it.
    """

    data: str
    model: str
    training_samples: int
    samples: int
    attack: str
    recipe: str
    eps: float
    norm: Literal["linf", "l2"]
    suite: str
    seeds: list[int]
    defenses: list[ContestRow]
    by_cross_entropy: list[str]
    by_suite: list[str]
    agreement: float | None
    versions: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each defense."""
        return [
            {"defense": row.name, "epochs": row.epochs}
            | {name: column.mean for name, column in row.accuracy.items()}
            for row in self.defenses
        ]
