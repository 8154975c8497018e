"""Which attacks an audit runs, and what they cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import ball as make_ball
from classward.core.losses import cross_entropy, margin
from classward.core.types import Attack, SampleLoss
from classward.records.result import Passes

HEADLINE = "pgd"  # its matrix, symmetry and pairs are the headline ones
GRADIENTS = {HEADLINE: False, "pgd_margin": True}  # whose zeros count: is the loss scale-free?


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One attack of a budget.

    Attributes:
        attack: The attack.
        loss: What it climbs.
        until: "first_success" where only robust accuracy is wanted of it.
    """

    attack: Attack
    loss: SampleLoss
    until: Literal["first_success"] | None = None

    def __str__(self) -> str:
        early = "" if self.until is None else ", until first success"
        return f"{self.attack} on {self.loss.__name__}{early}"


def plan(eps: float, norm: str) -> dict[str, Planned]:
    """The attacks of `--budget quick`: one step, and 20 steps on two losses.

    The headline attack starts at the clean image, so that its pairs do not depend on a seed.
    """
    ball = make_ball(norm, eps)
    step = eps / 4 or 1.0  # at radius 0 any step goes nowhere
    headline = PGD(ball=ball, steps=20, step_size=step, random_start=False)
    pgd = PGD(ball=ball, steps=20, step_size=step)
    return {
        "fgsm": Planned(attack=FGSM(ball=ball), loss=cross_entropy),
        HEADLINE: Planned(attack=headline, loss=cross_entropy),
        "pgd_margin": Planned(attack=pgd, loss=margin, until="first_success"),
    }


def passes_of(planned: Mapping[str, Planned], samples: int) -> Passes:
    """Most images a plan sends through the network: what it costs before it starts."""
    steps = sum(getattr(entry.attack, "steps", 1) for entry in planned.values())
    verdicts = sum(2 if entry.until is None else 3 for entry in planned.values())
    return Passes(forward=(steps + verdicts) * samples, backward=steps * samples)
