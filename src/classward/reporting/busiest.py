"""Which classes a plot shows when there are too many to be read."""

import numpy as np
from jaxtyping import Float

READABLE = 20  # classes whose names and shares can still be read
MOST_PIXELS = 250  # on a side of an image


def off_diagonal(matrix: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    """The flows between different classes: no diagonal, and 0 where undefined."""
    flows = np.nan_to_num(matrix)
    np.fill_diagonal(flows, 0)
    return flows


def busiest(matrix: Float[np.ndarray, "k k"], most: int = READABLE) -> list[int]:
    """At most `most` classes, in their own order: both ends of the largest flows.

    >>> busiest(np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 0.7]]), most=2)
    [1, 2]
    """
    k = len(matrix)
    if k <= most:
        return list(range(k))
    chosen: set[int] = set()
    for flow in np.argsort(-off_diagonal(matrix), axis=None, kind="stable").tolist():
        both = chosen | {*divmod(flow, k)}
        if len(both) > most:
            break
        chosen = both
    return sorted(chosen)


def block(classes: int) -> int:
    """Classes on the side of one pixel."""
    return -(-classes // MOST_PIXELS)


def coarse(values: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "m m"]:
    """The largest value of each block of classes, at most 250 blocks on a side.

    >>> coarse(np.eye(500)).shape
    (250, 250)
    """
    step = block(len(values))
    padded = np.pad(values, (0, -len(values) % step), constant_values=values.min())
    side = len(padded) // step
    return padded.reshape(side, step, side, step).max(axis=(1, 3))
