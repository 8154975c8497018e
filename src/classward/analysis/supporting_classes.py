"""Supporting classes: the input logits that pull a corrected prediction to the true class.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2: S_k = H_i,k - H_mean,k, where H_i,k is the derivative of corrected logit i after input
logit k, i the label, and H_mean the mean over all i.
Reading: cross-entropy does not see a constant added to all corrected logits, so H_i and H_mean
depend on it and S does not; they are told apart here, but only S means something alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from classward.core.types import Labels, Logits

ROWS = 500  # samples at once: each takes as many values as there are hidden neurons


@dataclass(frozen=True, kw_only=True)
class Support:
    """How each corrected logit of the label depends on the input logits, sample by sample.

    Attributes:
        own: H_i,k: derivative of the corrected logit of the label.
        mean: H_mean,k: that of the mean corrected logit.
    """

    own: Float[Tensor, "n k"]
    mean: Float[Tensor, "n k"]

    @property
    def joined(self) -> Float[Tensor, "n k"]:
        """S_k."""
        return self.own - self.mean


def support(
    logits: Logits,
    labels: Labels,
    output: Float[Tensor, "k d"],
    hidden: Float[Tensor, "d k"] | None = None,
    bias: Float[Tensor, " d"] | None = None,
) -> Support:
    """In closed form, of a network of one or two fully connected layers.

    Args:
        logits: Attacked logits.
        labels: The true class of each.
        output: Weights of the last layer.
        hidden: Weights of the layer before it, which ReLU follows; none of a linear network.
        bias: Bias of that layer.
    """
    if hidden is None:
        count = len(logits)
        return Support(own=output[labels], mean=output.mean(dim=0).expand(count, -1))
    assert bias is not None
    own, mean, middle = [], [], output.mean(dim=0)
    for rows, classes in zip(logits.split(ROWS), labels.split(ROWS), strict=True):
        active = (rows @ hidden.T + bias > 0).to(output)
        own.append((output[classes] * active) @ hidden)
        mean.append((middle * active) @ hidden)
    return Support(own=torch.cat(own), mean=torch.cat(mean))


def support_by_backward(
    corrector: Callable[[Tensor], Tensor], logits: Logits, labels: Labels
) -> Float[Tensor, "n k"]:
    """S_k of any differentiable corrector, by one backward pass of all samples."""
    with torch.enable_grad():
        asked = logits.detach().requires_grad_()
        corrected = corrector(asked)
        own = corrected.gather(1, labels[:, None]).squeeze(1)
        (gradient,) = torch.autograd.grad((own - corrected.mean(dim=1)).sum(), asked)
    return gradient


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
