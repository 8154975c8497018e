"""The counting oracle of black-box attacks: one image through the classifier is one query."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from classward.core.errors import InputError, InvariantError

ON_CPU = 64  # images at once; the memory of more is given back and faulted in at each question
Won = Callable[[Tensor, Tensor, Tensor], Tensor]  # (images, logits, where) -> Bool[Tensor, "m"]


def nothing_won(images: Tensor, logits: Tensor, where: Tensor) -> Bool[Tensor, " m"]:
    """No image is a success."""
    return torch.zeros_like(where, dtype=torch.bool)


class CountingOracle:
    """Answers an attack's queries, counts them for each sample, and refuses past the budget.

    Args:
        model: Images to logits; called without gradients.
        samples: Number of samples in the batch.
        budget: Queries each may spend.
        decisions: Answer with classes alone, not with logits.
        won: Which of the images asked about are successes.
        at_once: Most images sent through the model at once; on a CPU never more than 64.

    Attributes:
        spent: Queries of each sample so far.
        first_success: Number of the query that first was a success, from 1; -1: none yet.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        samples: int,
        budget: int,
        *,
        decisions: bool,
        won: Won = nothing_won,
        at_once: int = 256,
    ) -> None:
        self.model, self.budget, self.decisions = model, budget, decisions
        self.won, self.at_once = won, at_once
        self.spent = torch.zeros(samples, dtype=torch.int64)
        self.first_success = torch.full((samples,), -1)

    @property
    def left(self) -> Int64[Tensor, " n"]:
        """Queries each sample may still spend."""
        return self.budget - self.spent

    def __call__(self, images: Float[Tensor, "m c h w"], where: Int64[Tensor, " m"]) -> Tensor:
        """Logits, or classes, of images made from the samples at positions `where`.

        Raises:
            InvariantError: If a sample would exceed its budget, an image is not in [0, 1] or
                a gradient is wanted; nothing is then asked or counted.
            InputError: If the model answers with what is not finite.
        """
        before, self.spent = self.spent, self._after(images, where)
        with torch.no_grad():
            parts = images.split(min(self.at_once, ON_CPU if images.is_cpu else self.at_once))
            logits = torch.cat([self.model(part) for part in parts])
        if not logits.isfinite().all():
            raise InputError("model returned logits that are not finite to a black-box query")
        won = self.won(images, logits, where).cpu()
        if won.any():
            numbers = before[where.cpu()] + 1 + _earlier(where.cpu(), len(before))
            self._note(where.cpu()[won], numbers[won])
        return logits.argmax(dim=1) if self.decisions else logits

    def _after(
        self, images: Float[Tensor, "m c h w"], where: Int64[Tensor, " m"]
    ) -> Int64[Tensor, " n"]:
        """What each will have spent, if it may ask."""
        if images.requires_grad:
            raise InvariantError("attack wants a gradient of an oracle, which has none to give")
        spent = self.spent + torch.bincount(where.cpu(), minlength=len(self.spent))
        if (over := spent > self.budget).any():
            first = int(over.nonzero()[0])
            raise InvariantError(
                f"attack asked query {int(spent[first])} for sample {first} of its batch, "
                f"the budget is {self.budget}"
            )
        lowest, highest = images.aminmax() if len(images) else (images.new_zeros(1),) * 2
        if not (lowest >= 0 and highest <= 1):  # of NaN neither is true
            fine = ((images >= 0) & (images <= 1)).flatten(1).all(dim=1)
            first = int(where[~fine][0])
            raise InvariantError(
                f"attack asked about an image out of [0, 1], made from sample {first}"
            )
        return spent

    def _note(self, where: Int64[Tensor, " m"], numbers: Int64[Tensor, " m"]) -> None:
        """Keep the least number of each sample; those noted before are smaller."""
        unseen = torch.full_like(self.first_success, self.budget + 1)
        found = unseen.scatter_reduce(0, where, numbers, "amin")
        new = (self.first_success < 0) & (found <= self.budget)
        self.first_success[new] = found[new]


def _earlier(where: Int64[Tensor, " m"], samples: int) -> Int64[Tensor, " m"]:
    """How many images of the same sample come before each.

    >>> _earlier(torch.tensor([4, 7, 4, 4]), 8).tolist()
    [0, 0, 1, 2]
    """
    order = where.argsort(stable=True)
    counts = torch.bincount(where, minlength=samples)
    start = counts.cumsum(0) - counts
    earlier = torch.empty_like(where)
    earlier[order] = torch.arange(len(where)) - start[where[order]]
    return earlier
