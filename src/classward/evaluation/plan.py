"""Which attacks an audit runs, and what they cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from classward.attacks.fab import FAB
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
from classward.evaluation.adaptive import adaptive_losses
from classward.evaluation.budget_curve import FRACTIONS, STEPS
from classward.evaluation.standing import MOST
from classward.evaluation.suites import autoattack
from classward.evaluation.surrogate import SAMPLES
from classward.records.result import Passes

Budget = Literal["quick", "standard", "full"]
HEADLINE = "pgd"  # its matrix, symmetry and pairs are the headline ones
GRADIENTS = {HEADLINE: False, "pgd_margin": True}  # whose zeros count: is the loss scale-free?
CHECKS = Passes(forward=940, backward=490)  # of `standing_checks`, for each survivor
PROBES = Passes(forward=15, backward=10)  # for each sample: is it random, is it blind
TAUGHT = 5  # forward, for each sample that a network taught by the model learns from
LOOKS = 2  # of the model itself, in each run: is it a success, and is that so at the end
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


def plan(
    eps: float, norm: str, budget: str = "quick", *, model: object = None
) -> dict[str, Planned]:
    """The attacks of a budget.

    Quick is one step, and 20 steps on two losses; the headline attack starts at the clean
    image, so that its pairs do not depend on a seed. Standard adds the four attacks of
    AutoAttack with its settings, full PGD-100 with ten restarts and three black-box attacks;
    these see only what still stands. So does PGD on each further adaptive
    loss of the model.

    Args:
        eps: Radius, in pixel units.
        norm: Norm of the ball.
        budget: Name of the budget.
        model: Whose adaptive losses are climbed, too.

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
    attacks |= {
        f"pgd_{name}": _on_survivors(pgd, loss=loss)
        for name, loss in adaptive_losses(model).items()
        if loss not in (cross_entropy, margin)
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


def has_curve(eps: float, budget: Budget) -> bool:
    """Whether the curve of accuracy against the radius is part of the budget."""
    return budget == "full" and eps > 0


def passes_of(planned: Mapping[str, Planned], samples: int, *, curve: bool = False) -> Passes:
    """Most images an audit sends through the network, checks included: its cost beforehand.

    For a model that is not random: of one that is, every image is the mean of ten draws.

    Args:
        planned: The attacks.
        samples: Number of samples; as if every one of them stood to the end.
        curve: Whether the curve is drawn, too.
    """
    checked = min(MOST, samples)
    forward = samples * PROBES.forward + checked * CHECKS.forward
    forward += TAUGHT * min(SAMPLES, samples)
    backward = samples * PROBES.backward + checked * CHECKS.backward
    for entry in planned.values():
        asked, followed = _cost(entry.attack)
        forward += (entry.restarts * (asked + LOOKS) + 1) * samples
        backward += entry.restarts * followed * samples
    if curve:
        radii = len(FRACTIONS)
        forward += radii * (STEPS + LOOKS + 1) * samples
        backward += radii * STEPS * samples
    return Passes(forward=forward, backward=backward)


def _cost(attack: Attack) -> tuple[int, int]:
    """Most forward and backward passes for one sample, what decides apart."""
    if attack.access != "gradient":
        return getattr(attack, "queries", 0), 0
    rounds = getattr(attack, "target_classes", 1)
    steps = rounds * getattr(attack, "steps", 1)
    if isinstance(attack, FAB):  # looks twice where it has crossed
        return 2 * steps + rounds + 1, 2 * steps
    return steps + rounds + 1, steps
