"""The samples that no attack turned, to be attacked again: see `standing_checks`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from classward.attacks.pgd import PGD
from classward.core.balls import Ball
from classward.core.losses import margin
from classward.core.types import Attack, Images, Labels
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model
from classward.evaluation.run_attack import run_attack
from classward.evaluation.surrogate import Taught, teach
from classward.evaluation.watched import Watched, counted
from classward.records.result import Passes

LITTLE = 0.02  # share of all samples: a number that is too high by less is not held false
RESTARTS = 2  # of the stronger PGD
MOST = 64  # survivors that are looked at: a share of 5 % is then three samples


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Samples that stand, and the model they stand on.

    Attributes:
        model: Images in [0, 1] to logits.
        data: The samples, at most `MOST`.
        samples: All samples, those that fell included.
        of_all: Share of all samples that stand.
        ball: The ball they stood in.
        seed: Seed of the attacks.
        random: Whether the model is a mean over draws, other ones for every image.
        surrogates: Other networks, to attack this one through.
        spent: What it was asked; grows with each check.
        run: Further arguments of `run_attack`.
    """

    model: Model
    data: Split
    samples: Split
    of_all: float
    ball: Ball
    seed: int
    random: bool
    surrogates: Sequence[Model]
    spent: list[Passes]
    run: dict[str, Any]

    @cached_property
    def fallen(self) -> float:
        """Share of them that five times the steps turn, from more than one random start."""
        return self.turned(self.pgd(steps=100), loss=margin, restarts=RESTARTS)

    def turned(self, attack: Attack, **more: Any) -> float:
        """Share of them that another attack turns."""
        until = None if attack.access != "gradient" else "first_success"
        record = run_attack(
            self.model,
            attack,
            self.data,
            **{"seed": self.seed, "until": until} | self.run | more,
        )
        self.spent.append(record.passes)
        return 1 - record.robust_accuracy

    def taught(self) -> Taught:
        """A small network that learned from all samples what the model says."""
        with counted(self.model, self.device, self.spent) as model:
            return teach(model, self.samples, self.ball, seed=self.seed, **self.run)

    @contextmanager
    def judged(self) -> Iterator[tuple[Watched, Images, Labels, Tensor]]:
        """The model in eval mode, with images, labels and ids of all of them."""
        with counted(self.model, self.device, self.spent) as model:
            judge = Judge(model, self.data, self.device)
            yield (model, *judge.batch(torch.arange(len(self.data))))

    @property
    def device(self) -> str:
        """Where the model is asked."""
        return self.run.get("device", "cpu")

    def pgd(self, steps: int = 20, radius: Ball | None = None) -> PGD:
        """PGD with steps of a quarter of the radius, here of another seed than the audit's."""
        ball = radius or self.ball
        return PGD(ball=ball, steps=steps, step_size=ball.eps / 4 or 1.0)


def survivors(
    model: Model,
    data: Split,
    robust: Tensor,
    *,
    ball: Ball,
    seed: int,
    random: bool = False,
    surrogates: Sequence[Model] = (),
    spent: list[Passes] | None = None,
    **run: Any,
) -> Standing | None:
    """At most `MOST` of the samples that stand, spread evenly; `None` where next to none do.

    Args:
        model: The classifier.
        data: All samples, in the order of their ids.
        robust: Which of them stand.
        ball: The ball they stood in.
        seed: Seed of the audit.
        random: Whether the model is a mean over draws.
        surrogates: Other networks, to attack this one through.
        spent: Where to add what the model is asked.
        run: Further arguments of `run_attack`.
    """
    standing = robust.nonzero().flatten()
    of_all = len(standing) / len(robust)
    if of_all <= LITTLE or ball.eps == 0:
        return None
    spread = torch.linspace(0, len(standing) - 1, min(MOST, len(standing))).round().long()
    return Standing(
        model=model,
        data=data.select(standing[spread]),
        samples=data,
        of_all=of_all,
        ball=ball,
        seed=seed + 1,
        random=random,
        surrogates=surrogates,
        spent=[] if spent is None else spent,
        run=run,
    )
