"""Two runs on the same samples: what one of them alone gets right, and whether that is chance.

Sources: McNemar, "Note on the Sampling Error of the Difference Between Correlated Proportions
or Percentages", Psychometrika 12, 1947 (test, here in its exact binomial form); Bonett and
Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on
Paired Data", J. Educational and Behavioral Statistics 37, 2012 (interval); Holm, "A Simple
Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6, 1979.
"""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from classward.core.wilson import Z
from classward.records.comparison_result import Difference


def mcnemar(
    lost: Int64[Tensor, "*shape"], gained: Int64[Tensor, "*shape"]
) -> Float64[Tensor, "*shape"]:
    """Two-sided exact p-value of as many samples lost as gained; 1 where there are none.

    >>> mcnemar(torch.tensor([0, 5, 6]), torch.tensor([0, 0, 6])).tolist()
    [1.0, 0.0625, 1.0]
    """
    from scipy.special import bdtr

    fewer, both = torch.minimum(lost, gained).double(), lost + gained
    one_sided = torch.as_tensor(bdtr(fewer.numpy(), both.numpy(), 0.5), dtype=torch.float64)
    return (2 * one_sided).clamp(max=1)


def paired_bounds(
    lost: Int64[Tensor, "*shape"],
    gained: Int64[Tensor, "*shape"],
    totals: Int64[Tensor, "*shape"],
) -> tuple[Float64[Tensor, "*shape"], Float64[Tensor, "*shape"]]:
    """Ends of the 95 % Bonett-Price intervals of (gained - lost) / total; NaN without samples.

    >>> low, high = paired_bounds(*torch.tensor([[2], [8], [98]]))
    >>> round(low.item(), 4), round(high.item(), 4)
    (-0.0069, 0.1269)
    """
    n = totals.double() + 2
    fewer, more = (lost + 1) / n, (gained + 1) / n
    middle = more - fewer
    half = Z * ((more + fewer - middle**2) / n).sqrt()
    undefined = totals == 0
    return (
        (middle - half).clamp(min=-1).masked_fill(undefined, torch.nan),
        (middle + half).clamp(max=1).masked_fill(undefined, torch.nan),
    )


def holm(p: Float64[Tensor, " m"]) -> Float64[Tensor, " m"]:
    """p-values adjusted for their number: below 0.05, one of them in error in 5 % of tables.

    >>> holm(torch.tensor([0.04, 0.01, 0.03], dtype=torch.float64)).tolist()
    [0.06, 0.03, 0.06]
    """
    ranked = p.sort()
    scaled = ranked.values * torch.arange(len(p), 0, -1)
    raised = scaled.cummax(dim=0).values.clamp(max=1) if len(p) else scaled
    return torch.empty_like(p).scatter(0, ranked.indices, raised)


def difference(
    reference: Bool[Tensor, " n"], other: Bool[Tensor, " n"], adjusted_p: float | None = None
) -> Difference:
    """The share of samples that `other` gets right minus that of `reference`, sample by sample.

    Args:
        reference: Which samples the reference gets right.
        other: Which of the same the other run gets right.
        adjusted_p: The p-value adjusted for the tests it is one of.
    """
    lost, gained = (reference & ~other).sum(), (other & ~reference).sum()
    return counted(int(reference.sum()), int(lost), int(gained), len(reference), adjusted_p)


def counted(
    kept: int, lost: int, gained: int, total: int, adjusted_p: float | None = None
) -> Difference:
    """The same from counts: right in the reference, only there, only in the other, samples."""
    if total == 0:
        undefined = dict.fromkeys(
            ("reference", "other", "difference", "low", "high", "p", "adjusted_p")
        )
        return Difference(lost=0, gained=0, total=0, **undefined)
    low, high = paired_bounds(*torch.tensor([lost, gained, total]))
    return Difference(
        lost=lost,
        gained=gained,
        total=total,
        reference=kept / total,
        other=(kept - lost + gained) / total,
        difference=(gained - lost) / total,
        low=low.item(),
        high=high.item(),
        p=mcnemar(torch.tensor(lost), torch.tensor(gained)).item(),
        adjusted_p=adjusted_p,
    )
