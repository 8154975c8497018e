"""Suites of attacks: AutoAttack with its official settings, and others under other names.

Source: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks", ICML 2020, arXiv:2003.01690.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from classward.attacks.apgd import APGD
from classward.attacks.fab import FAB
from classward.attacks.square import Square
from classward.core.balls import Ball
from classward.core.errors import InputError
from classward.core.types import Attack

Version = Literal["standard", "plus", "rand"]
NAMES: dict[str, Version] = {
    "AutoAttack standard": "standard",
    "AutoAttack plus": "plus",
    "AutoAttack rand": "rand",
}
STEPS, TARGET_CLASSES, QUERIES = 100, 9, 5000  # the official ones


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One attack of a suite; a sample leaves it at its first success.

    Attributes:
        attack: The attack.
        restarts: Runs, each on the survivors.
        draws: Draws of a random model over which its gradient is averaged.
    """

    attack: Attack
    restarts: int = 1
    draws: int = 1

    def __str__(self) -> str:
        runs = "" if self.restarts == 1 else f", {self.restarts} runs"
        drawn = "" if self.draws == 1 else f", gradients of {self.draws} draws"
        return f"{self.attack}{runs}{drawn}"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Attacks in their order, under one name.

    Attributes:
        name: How results name it. Only the official settings may be called AutoAttack.
        entries: Name of each attack -> the attack.

    Raises:
        InputError: If there is no attack, or the name promises what the attacks are not.
    """

    name: str
    entries: Mapping[str, Entry]

    def __post_init__(self) -> None:
        if not self.entries:
            raise InputError(f"suite {self.name!r} has no attack: give it one")
        if "autoattack" not in re.sub("[^a-z]", "", self.name.lower()):
            return
        ball = getattr(next(iter(self.entries.values())).attack, "ball", None)
        version = NAMES.get(self.name)
        official = _autoattack(ball, version) if ball and version else {}
        if list(official.items()) != list(self.entries.items()):
            raise InputError(
                f"suite {self.name!r} differs from the official AutoAttack: give it another "
                "name, such as aa-lite"
            )


def autoattack(ball: Ball, version: Version = "standard") -> Suite:
    """AutoAttack with its official settings.

    Args:
        ball: Norm and radius of the allowed perturbations.
        version: "standard"; "plus" with more restarts and the untargeted forms; "rand" for
            random models, with gradients averaged over 20 draws.
    """
    return Suite(name=f"AutoAttack {version}", entries=_autoattack(ball, version))


def aa_lite(
    ball: Ball,
    *,
    steps: int = STEPS,
    target_classes: int = TARGET_CLASSES,
    queries: int = QUERIES,
) -> Suite:
    """The attacks of AutoAttack standard with other budgets, under another name.

    Args:
        ball: Norm and radius of the allowed perturbations.
        steps: Steps of APGD and FAB, for each rival.
        target_classes: Rivals that the targeted forms try.
        queries: Queries of Square.
    """
    budget = {"steps": steps, "target_classes": target_classes, "queries": queries}
    told = ", ".join(f"{name}={value}" for name, value in budget.items())
    return Suite(name=f"aa-lite({told})", entries=_autoattack(ball, "standard", **budget))


def _autoattack(
    ball: Ball,
    version: Version,
    *,
    steps: int = STEPS,
    target_classes: int = TARGET_CLASSES,
    queries: int = QUERIES,
) -> dict[str, Entry]:
    climb = APGD(ball=ball, steps=steps)
    climb_dlr = APGD(ball=ball, objective="dlr", steps=steps)
    square = Entry(attack=Square(ball=ball, queries=queries))
    if version == "rand":
        return {
            "apgd_ce": Entry(attack=climb, draws=20),
            "apgd_dlr": Entry(attack=climb_dlr, draws=20),
        }
    apgd_t = APGD(
        ball=ball, objective="dlr_targeted", steps=steps, target_classes=target_classes
    )
    targeted = {
        "apgd_t": Entry(attack=apgd_t),
        "fab_t": Entry(attack=FAB(ball=ball, steps=steps, target_classes=target_classes)),
    }
    if version == "standard":
        return {"apgd_ce": Entry(attack=climb), **targeted, "square": square}
    return {
        "apgd_ce": Entry(attack=climb, restarts=5),
        "apgd_dlr": Entry(attack=climb_dlr, restarts=5),
        "fab": Entry(attack=FAB(ball=ball, steps=steps, targeted=False), restarts=5),
        "square": square,
        **targeted,
    }
