"""The classes that a sample is likeliest to be taken for, besides its own."""

from jaxtyping import Int64
from torch import Tensor

from classward.core.types import Labels, Logits


def likeliest_rivals(logits: Logits, labels: Labels, count: int) -> Int64[Tensor, "n rivals"]:
    """The `count` other classes with the largest logits, likeliest first; all if fewer exist.

    >>> import torch
    >>> likeliest_rivals(torch.tensor([[3.0, 1, 0, 2]]), torch.tensor([0]), 2)
    tensor([[3, 1]])
    """
    others = logits.scatter(1, labels[:, None], -float("inf"))
    return others.topk(min(count, logits.shape[1] - 1), dim=1).indices
