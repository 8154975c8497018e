"""Which attacks an audit runs, and what they cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from classward.attacks.fgsm import FGSM
from classward.attacks.nes import NES
from classward.attacks.pgd import PGD
from classward.attacks.simba import SimBA
from classward.attacks.square import Square
from classward.core.balls import Ball
from classward.core.balls import ball as make_ball
from classward.core.errors import InputError
from classward.core.losses import cross_entropy, margin
from classward.core.types import Attack, SampleLoss
from classward.evaluation.standing import MOST
from classward.evaluation.suites import autoattack
from classward.records.result import Passes

Budget = Literal["quick", "standard", "full"]
HEADLINE = "pgd"  # its matrix, symmetry and pairs are the headline ones
GRADIENTS = {HEADLINE: False, "pgd_margin": True}  # whose zeros count: is the loss scale-free?
CHECKS = Passes(forward=900, backward=500)  # of `standing_checks`, for each survivor
QUERIES = 2000  # of each black-box attack of the full budget


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One attack of a budget.

    Attributes:
        attack: The attack.
        loss: What it climbs; its own where `None`.
        until: "first_success" where only robust accuracy is wanted of it.
        restarts: Runs, each on the survivors.
        survivors: Whether it sees only what no attack before it turned.
    """

    attack: Attack
    loss: SampleLoss | None = None
    until: Literal["first_success"] | None = None
    restarts: int = 1
    survivors: bool = False

    def __str__(self) -> str:
        loss = "" if self.loss is None else f" on {getattr(self.loss, '__name__', self.loss)}"
        early = "" if self.until is None else ", until first success"
        runs = "" if self.restarts == 1 else f", {self.restarts} runs"
        part = ", on the survivors" if self.survivors else ""
        return f"{self.attack}{loss}{early}{runs}{part}"


def plan(eps: float, norm: str, budget: str = "quick") -> dict[str, Planned]:
    """The attacks of a budget.

    Quick is one step, and 20 steps on two losses; the headline attack starts at the clean
    image, so that its pairs do not depend on a seed. Standard adds the four attacks of
    AutoAttack with its settings, full PGD-100 with ten restarts and three black-box attacks;
    these see only what still stands.

    Raises:
        InputError: If there is no such budget.
    """
    if budget not in get_args(Budget):
        raise InputError(f"budget {budget!r}: expected quick, standard or full")
    ball = make_ball(norm, eps)
    step = eps / 4 or 1.0  # at radius 0 any step goes nowhere
    headline = PGD(ball=ball, steps=20, step_size=step, random_start=False)
    pgd = PGD(ball=ball, steps=20, step_size=step)
    attacks = {
        "fgsm": Planned(attack=FGSM(ball=ball), loss=cross_entropy),
        HEADLINE: Planned(attack=headline, loss=cross_entropy),
        "pgd_margin": Planned(attack=pgd, loss=margin, until="first_success"),
    }
    if budget != "quick" and eps:
        attacks |= {
            name: _on_survivors(entry.attack, restarts=entry.restarts)
            for name, entry in autoattack(ball).entries.items()
        }
    if budget == "full" and eps:
        attacks |= _full(ball, step)
    return attacks


def _full(ball: Ball, step: float) -> dict[str, Planned]:
    longer = PGD(ball=ball, steps=100, step_size=step)
    return {
        "pgd_restarts": _on_survivors(longer, loss=margin, restarts=10),
        "square_2000": _on_survivors(Square(ball=ball, queries=QUERIES, rescale=True)),
        "nes": _on_survivors(NES(ball=ball, queries=QUERIES)),
        "simba": _on_survivors(SimBA(ball=ball, queries=QUERIES)),
    }


def _on_survivors(attack: Attack, **more: Any) -> Planned:
    return Planned(attack=attack, until="first_success", survivors=True, **more)


def passes_of(planned: Mapping[str, Planned], samples: int) -> Passes:
    """Most images an audit sends through the network, checks included: its cost beforehand."""
    checked = min(MOST, samples)
    forward, backward = checked * CHECKS.forward, checked * CHECKS.backward
    for entry in planned.values():
        asked, followed = _cost(entry.attack)
        verdicts = 2 if entry.until is None else 3
        forward += (entry.restarts * asked + verdicts) * samples
        backward += entry.restarts * followed * samples
    return Passes(forward=forward, backward=backward)


def _cost(attack: Attack) -> tuple[int, int]:
    """Most forward and backward passes for one sample, confirmations included."""
    if attack.access != "gradient":
        return 2 * getattr(attack, "queries", 0), 0
    steps = getattr(attack, "steps", 1) * getattr(attack, "target_classes", 1)
    twice = 2 if hasattr(attack, "target_classes") else 1  # candidates are asked once more
    return twice * steps, steps
