"""The counting oracle of black-box attacks: one image through the classifier is one query."""

from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.core.errors import InvariantError
from classward.core.types import Images


class CountingOracle:
    """Answers an attack's queries, counts them for each sample, and refuses past the budget.

    Args:
        model: Images to logits; called without gradients.
        samples: Number of samples in the batch.
        budget: Queries each may spend.
        decisions: Answer with classes alone, not with logits.
    """

    def __init__(
        self, model: Callable[[Tensor], Tensor], samples: int, budget: int, *, decisions: bool
    ) -> None:
        self.model, self.budget, self.decisions = model, budget, decisions
        self.spent = torch.zeros(samples, dtype=torch.int64)

    @property
    def left(self) -> Int64[Tensor, " n"]:
        """Queries each sample may still spend."""
        return self.budget - self.spent

    def __call__(self, images: Images, where: Int64[Tensor, " m"]) -> Tensor:
        """Logits, or classes, of images made from the samples at positions `where`.

        Raises:
            InvariantError: If a sample would exceed its budget; nothing is then asked.
        """
        spent = self.spent + torch.bincount(where.cpu(), minlength=len(self.spent))
        if (over := spent > self.budget).any():
            first = int(over.nonzero()[0])
            raise InvariantError(
                f"attack asked query {int(spent[first])} for sample {first} of its batch, "
                f"the budget is {self.budget}"
            )
        self.spent = spent
        with torch.no_grad():
            logits = self.model(images).detach()
        return logits.argmax(dim=1) if self.decisions else logits
