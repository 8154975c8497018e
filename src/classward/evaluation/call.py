"""One call of an attack: what it may ask, and the promises it must keep."""

from typing import Any

import torch
from torch import Tensor

from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images
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
        request, attack, model = self.asked, self.asked.attack, self.asked.judge.model
        self.watched.calls = 0
        oracle = _oracle(attack, self.watched, len(self.ids))
        whom: Any = self.watched if oracle is None else oracle
        before, kept = fingerprint(model), self.images.clone()
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
        check_untouched(attack, before, fingerprint(model), torch.equal(kept, self.images))
        if oracle is not None:
            self.queries = oracle.spent.to(self.images.device)
        made, self.failed = without_failures(attack, made, self.images)
        check_adversarial(attack, made, self.images, self.ids)
        return made.detach()

    def success(self, logits: Tensor, where: Tensor | slice = slice(None)) -> Tensor:
        """Off the label or, with targets, on them."""
        said = logits.argmax(dim=1)
        return said != self.labels[where] if self.aims is None else said == self.aims[where]

    def _until(self, candidates: Tensor, where: Tensor) -> Tensor:
        done = candidates.flatten(1).isfinite().all(dim=1)  # of others there is nothing to ask
        if done.any():
            ids = self.ids[where[done].cpu()]
            logits = self.asked.judge.logits(candidates[done], ids)
            done[done.clone()] = self.success(logits, where[done])
        self.first_success[where[done]] = self.watched.calls - 1
        return done


def _oracle(attack: Attack, model: Watched, samples: int) -> CountingOracle | None:
    if attack.access == "gradient":
        return None
    budget = getattr(attack, "queries", None)
    if not isinstance(budget, int):
        raise InputError(f"{type(attack).__name__} asks an oracle but has no option `queries`")
    return CountingOracle(model, samples, budget, decisions=attack.access == "decisions")
