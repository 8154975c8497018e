"""Exponential moving average of the weights, which smooths the last steps away.

Paper: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
Control Optim. 30 (1992).
Reading: the exponential form, and a smaller decay in the first steps, so that the random first
weights are soon forgotten.
"""

from classward.models.network import Network


def follow(average: Network, network: Network, decay: float, steps: int) -> None:
    """Move averaged weights and batch statistics towards `network`, after so many steps."""
    kept = min(decay, (1 + steps) / (10 + steps))
    states = average.state_dict().values(), network.state_dict().values()
    for old, new in zip(*states, strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - kept)
        else:
            old.copy_(new)  # counts of batches
