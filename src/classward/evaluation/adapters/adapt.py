"""Attacks of others as attacks of ours: everything else about them stays as it is with ours.

`run_attack` gives them the model to ask, checks what they return, and judges it; what they say
of their own success is not heard.
"""

import hashlib
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch

from classward.core.balls import Ball
from classward.core.errors import InputError
from classward.core.global_random import global_random
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until
from classward.evaluation.adapters import art, foolbox, torchattacks
from classward.evaluation.adapters.shown import Shown

# (the other's attack, model, images, labels, targets, ball) -> what it returns
Generate = Callable[[Any, Shown, Images, Labels, Labels | None, Ball | None], Any]

PEERS: dict[str, Generate] = {
    "torchattacks": torchattacks.generate,
    "foolbox": foolbox.generate,
    "art": art.generate,
}
SAME = 1e-6  # what a radius may differ by, in pixel units


def adapt(attack: Any, *, ball: Ball | None) -> "Adapted":
    """Make an attack of torchattacks, Foolbox or ART, or a function, one for `run_attack`.

    It attacks the model that `run_attack` gives it, whichever it was made with. It cannot stop
    early, and its random numbers belong to a batch: they are the same for the same seed and
    batches, not over batch sizes.

    Args:
        attack: An attack object of one of the three, or `f(model, images, labels) -> images`,
            where `model` is a module; `functools.partial` adds options.
        ball: Norm and radius it is to keep, which is checked; `None` if it has no radius.

    Raises:
        InputError: If it is no attack, or says itself that its radius or norm is another.
    """
    homes = {kind.__module__.partition(".")[0] for kind in type(attack).__mro__}
    for home, generate in PEERS.items():
        if home in homes:
            name = f"{home} {type(attack).__name__}"
            _check_radius(name, attack, ball)
            return Adapted(attack=attack, ball=ball, generate=generate, name=name)
    if not callable(attack):
        raise InputError(
            f"{type(attack).__name__} is no attack: give one of torchattacks, Foolbox or ART, "
            "or a function of (model, images, labels)"
        )
    called = attack.func if isinstance(attack, partial) else attack
    name = getattr(called, "__name__", type(called).__name__)
    return Adapted(attack=attack, ball=ball, generate=_call, name=name)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Adapted:
    """An attack of others; made by `adapt`.

    Attributes:
        attack: What is adapted.
        ball: Norm and radius it is to keep, if any.
        generate: How it is called.
        name: What it is called in errors and records.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    attack: Any
    ball: Ball | None
    generate: Generate
    name: str

    def __repr__(self) -> str:
        given = {**_options(self.attack), "ball": self.ball}
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in given.items())})"

    def __call__(
        self,
        model: Classifier,
        images: Images,
        labels: Labels,
        *,
        rng: SampleRandom,
        targets: Labels | None = None,
        loss: SampleLoss | None = None,
        until: Until | None = None,
    ) -> Any:  # whatever it may be: `run_attack` checks it
        """Return what the attack makes of a copy of the images; `until` is never asked.

        Raises:
            InputError: If `loss` is given, or targets to an attack that takes none.
        """
        if loss is not None:
            raise InputError(f"{self.name} has a loss of its own: leave loss out")
        if len(images) == 0:
            return images.clone()
        shown = Shown(model, images.device)
        with global_random(_seed(rng), images.device), redirect_stdout(sys.stderr):
            made = self.generate(
                self.attack, shown, images.clone(), labels.clone(), targets, self.ball
            )
        if isinstance(made, np.ndarray):
            made = torch.from_numpy(made)
            made = made.to(images) if made.is_floating_point() else made
        return made.detach() if isinstance(made, torch.Tensor) else made


def _call(
    attack: Any,
    model: Shown,
    images: Images,
    labels: Labels,
    targets: Labels | None,
    ball: Ball | None,
) -> Any:
    if targets is not None:
        raise InputError(
            "a function of (model, images, labels) takes no targets: leave them out"
        )
    return attack(model, images, labels)


def _seed(rng: SampleRandom) -> int:
    stream = repr((rng.seed, rng.purpose, rng.restart, rng.ids.tolist())).encode()
    return int.from_bytes(hashlib.blake2b(stream, digest_size=8).digest(), "little")


def _options(attack: Any) -> dict[str, Any]:
    """Options that are plain values, in the order of their names."""
    given = attack.keywords if isinstance(attack, partial) else getattr(attack, "__dict__", {})
    plain = (bool, int, float, str, type(None))
    return {
        name: value
        for name, value in sorted(given.items())
        if isinstance(value, plain) and not name.startswith("_")
    }


def _check_radius(name: str, attack: Any, ball: Ball | None) -> None:
    """A smaller radius than the ball's would be a weak attack under a strong name."""
    eps, norm = getattr(attack, "eps", None), str(getattr(attack, "norm", "")).lower()
    if ball is None or isinstance(eps, bool) or not isinstance(eps, int | float):
        return
    if not abs(eps - ball.eps) <= SAME:
        raise InputError(f"{name} has eps {eps:.6g}, the ball {ball.eps:.6g}: make them equal")
    said = {"inf": "linf", "linf": "linf", "2": "l2", "l2": "l2"}.get(norm)
    if said is not None and said != ball.norm:
        raise InputError(f"{name} has norm {said}, the ball {ball.norm}: make them equal")
