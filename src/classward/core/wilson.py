"""The 95 % interval of a share of samples.

Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22,
1927.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

Z = 1.959963984540054  # a standard normal exceeds it in absolute value in 5 % of draws


def wilson_bounds(
    counts: Int64[Tensor, "*shape"], totals: Int64[Tensor, "*shape"]
) -> tuple[Float64[Tensor, "*shape"], Float64[Tensor, "*shape"]]:
    """Lower and upper ends of the 95 % Wilson intervals; NaN where the total is 0."""
    n, x = totals.double(), counts.double()
    centre, half = x + Z**2 / 2, Z * (x * (n - x) / n + Z**2 / 4).sqrt()
    low, high = (centre - half) / (n + Z**2), (centre + half) / (n + Z**2)
    return low, high.clamp(max=1)  # of n in n samples it may round to above 1


def wilson(count: int, total: int) -> tuple[float, float]:
    """Ends of the 95 % Wilson interval of count / total.

    Raises:
        ValueError: If `total` is 0, or `count` is not one of 0..total.

    >>> low, high = wilson(45, 100)
    >>> round(low, 4), round(high, 4)
    (0.3561, 0.5476)
    """
    if total < 1 or not 0 <= count <= total:
        raise ValueError(f"no share: {count} of {total} samples")
    low, high = wilson_bounds(torch.tensor(count), torch.tensor(total))
    return low.item(), high.item()
