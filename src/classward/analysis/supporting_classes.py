"""Supporting classes: the input logits that pull a corrected prediction to the true class.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2: S_k = H_i,k - H_mean,k, where H_i,k is the derivative of corrected logit i after input
logit k, i the label, and H_mean the mean over all i.
Reading: cross-entropy does not see a constant added to all corrected logits, so H_i and H_mean
depend on it and S does not; they are told apart here, but only S means something alone.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.types import Labels, Logits

Part = Literal["joined", "own", "mean"]
ROWS = 500  # samples at once: each takes as many values as there are hidden neurons


def support(
    logits: Logits,
    labels: Labels,
    output: Float[Tensor, "k d"],
    hidden: Float[Tensor, "d k"] | None = None,
    bias: Float[Tensor, " d"] | None = None,
    *,
    part: Part = "joined",
) -> Float[Tensor, "n k"]:
    """In closed form, of a network of one or two fully connected layers.

    Args:
        logits: Attacked logits.
        labels: The true class of each.
        output: Weights of the last layer.
        hidden: Weights of the layer before it, which ReLU follows; none of a linear network.
        bias: Bias of that layer.
        part: S_k ("joined"), or what it is the difference of: H_i,k, the derivative of the
            corrected logit of the label ("own"), and H_mean,k, of the mean one ("mean").
    """
    weights = {
        "own": output,
        "mean": output.mean(dim=0, keepdim=True).expand_as(output),
        "joined": output - output.mean(dim=0),
    }[part]
    if hidden is None:
        return weights[labels]
    assert bias is not None
    found = []
    for rows, classes in zip(logits.split(ROWS), labels.split(ROWS), strict=True):
        active = (rows @ hidden.T + bias > 0).to(output)
        found.append((weights[classes] * active) @ hidden)
    return torch.cat(found)


def support_by_backward(
    corrector: Callable[[Tensor], Tensor],
    logits: Logits,
    labels: Labels,
    *,
    part: Part = "joined",
) -> Float[Tensor, "n k"]:
    """The same of any differentiable corrector, by one backward pass of all samples.

    Args:
        corrector: Logits to corrected logits.
        logits: Attacked logits.
        labels: The true class of each.
        part: As in `support`.
    """
    found = []
    for rows, classes in zip(logits.split(ROWS), labels.split(ROWS), strict=True):
        with torch.enable_grad():
            asked = rows.detach().requires_grad_()
            corrected = corrector(asked)
            own, mean = corrected.gather(1, classes[:, None]).squeeze(1), corrected.mean(dim=1)
            told = {"own": own, "mean": mean, "joined": own - mean}[part]
            found.append(torch.autograd.grad(told.sum(), asked)[0])
    return torch.cat(found)


def looked_at(classes: int) -> int:
    """How many classes of each sample are counted: ten of 1,000 (the paper's), one of ten.

    >>> [looked_at(classes) for classes in (2, 10, 100, 1000)]
    [1, 1, 3, 10]
    """
    return max(1, round((classes / 10) ** 0.5))


def top_counts(scores: Float[Tensor, "n k"], most: int) -> Int64[Tensor, " k"]:
    """In how many samples each class is among the `most` of the greatest scores."""
    top = scores.topk(most, dim=1).indices.flatten()
    return top.bincount(minlength=scores.shape[1])


def bhattacharyya(one: Int64[Tensor, " k"], other: Int64[Tensor, " k"]) -> float | None:
    """Overlap of two sets of counts over all classes, in [0, 1]; undefined without counts.

    >>> two = torch.tensor([1, 1, 0]), torch.tensor([2, 1, 1])
    >>> round(bhattacharyya(*two), 6)
    0.853553
    """
    p, q = one.double(), other.double()
    if p.sum() == 0 or q.sum() == 0:
        return None
    return min(1.0, (p / p.sum() * q / q.sum()).sqrt().sum().item())


def lowered(logits: Logits, classes: Int64[Tensor, " m"], by: float) -> Logits:
    """The logits with those of `classes` reduced, of every sample."""
    changed = logits.clone()
    changed[:, classes] -= by
    return changed
