"""One call of an attack: what it may ask, and the promises it must keep."""

from typing import Any

import torch
from torch import Tensor

from classward.core.errors import InputError, InvariantError
from classward.core.randomness import SampleRandom
from classward.core.survivors import inside
from classward.core.types import Images
from classward.evaluation.invariants import (
    check_adversarial,
    check_untouched,
    fingerprint,
    without_failures,
)
from classward.evaluation.oracle import CountingOracle
from classward.evaluation.request import Request
from classward.evaluation.watched import Watched


class Call:
    """One call of the attack: some samples of a batch, what it may ask, what it must keep."""

    def __init__(
        self,
        asked: Request,
        watched: Watched,
        images: Images,
        labels: Tensor,
        ids: Tensor,
        aims: Tensor | None,
    ) -> None:
        self.asked, self.watched, self.aims = asked, watched, aims
        self.images, self.labels, self.ids = images, labels, ids
        self.first_success = torch.full((len(ids),), -1, device=images.device)
        self.queries = torch.zeros(len(ids), dtype=torch.int64, device=images.device)
        self.failed = torch.zeros(len(ids), dtype=torch.bool, device=images.device)

    def attack(self, restart: int) -> Images:
        """Run the attack; every promise checked."""
        request, attack = self.asked, self.asked.attack
        models = (request.judge.model, request.gradient_model)
        self.watched.calls = 0
        oracle = self._oracle()
        whom: Any = self.watched if oracle is None else oracle
        before, kept = fingerprint(*models), self.images.clone()
        made: Any = None
        try:
            made = attack(
                whom,
                self.images,
                self.labels,
                rng=SampleRandom(request.seed, type(attack).__name__, self.ids, restart),
                targets=self.aims,
                loss=request.loss,
                until=self._until if request.until == "first_success" else None,
                **request.ingredients,
            )
            untouched = torch.equal(kept, self.images)
            check_untouched(attack, before, fingerprint(*models), untouched)
            finite, self.failed = without_failures(attack, made, self.images)
            check_adversarial(attack, finite, self.images, self.ids)
        except InvariantError as error:
            rows = {"images": kept, "ids": self.ids, "labels": self.labels}
            error.evidence = rows | {
                "targets": self.aims,
                "returned": made,
                "restart": restart,
            }
            raise
        if oracle is not None:
            self.queries = oracle.spent.to(self.images.device)
            self.first_success = oracle.first_success.to(self.images.device)
        return finite.detach()

    def success(self, logits: Tensor, where: Tensor | slice = slice(None)) -> Tensor:
        """Whether each sample is where the attack wanted it."""
        aims = None if self.aims is None else self.aims[where]
        return reached(logits, self.labels[where], aims)

    def _until(self, candidates: Tensor, where: Tensor) -> Tensor:
        done = candidates.flatten(1).isfinite().all(dim=1)  # of others there is nothing to ask
        if done.any():
            ids = self.ids[where[done].cpu()]
            logits = self.asked.judge.logits(candidates[done], ids)
            done[done.clone()] = self.success(logits, where[done])
        self.first_success[where[done]] = self.watched.calls - 1
        return done

    def _oracle(self) -> CountingOracle | None:
        attack = self.asked.attack
        if attack.access == "gradient":
            return None
        budget = getattr(attack, "queries", None)
        if not isinstance(budget, int):
            raise InputError(
                f"{type(attack).__name__} asks an oracle but has no option `queries`"
            )
        return CountingOracle(
            self.watched,
            len(self.ids),
            budget,
            decisions=attack.access == "decisions",
            won=self._won,
            at_once=self.asked.batch_size,
        )

    def _won(self, images: Images, logits: Tensor, where: Tensor) -> Tensor:
        """Successes among what the oracle is asked; a probe may lie outside the ball."""
        won, ball = self.success(logits, where), getattr(self.asked.attack, "ball", None)
        if ball is None or not won.any():
            return won
        return won & inside(ball, images, self.images[where])


def reached(logits: Tensor, labels: Tensor, aims: Tensor | None) -> Tensor:
    """Off the label or, with targets, on them."""
    said = logits.argmax(dim=1)
    return said != labels if aims is None else said == aims
