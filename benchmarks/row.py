"""One row of a benchmark: the same work done by classward, by peers, and as bare passes."""

from collections.abc import Callable
from dataclasses import dataclass, field

Strength = dict[str, float]  # what must be equal, or better, for a time to count


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure that is measured.

    Attributes:
        name: What is done, to which network.
        ours: By classward: how strong the outcome is.
        peers: The same by others, by name.
        bare: As many passes of the network, without anything around them.
        bars: What the ratio must be: to "bare" at most, of a peer's time to ours at least.
    """

    name: str
    ours: Callable[[], Strength]
    peers: dict[str, Callable[[], Strength]] = field(default_factory=dict)
    bare: Callable[[], None] | None = None
    bars: dict[str, float] = field(default_factory=dict)
