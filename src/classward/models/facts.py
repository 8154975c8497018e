"""What a file of weights says of its network."""

from typing import Any

from classward.core.errors import InputError
from classward.core.losses import LOSSES, LossName
from classward.models import heads
from classward.models.heads import Head, HeadFactory
from classward.models.weights import Weights, shown

ROWS = ("head.centers", "head.linear.weight", "head.weight")  # one row for each class


def facts(stored: Weights) -> dict[str, Any]:
    """Arguments of `build` that the network was made with, as far as the file tells them."""
    known = {
        key: stored.about[key]
        for key in ("channels", "size", "width")
        if type(stored.about.get(key)) in (int, float)
    }
    tensors = stored.tensors
    rows = [len(tensors[key]) for key in ROWS if key in tensors and tensors[key].ndim == 2]
    if rows:
        known["classes"] = rows[0]
    for key in tensors:
        layer, _, leaf = key.rpartition(".")
        if layer.startswith("features.") and leaf == "mean" and f"{layer}.std" in tensors:
            mean = tensors[key].flatten().tolist()
            std = tensors[f"{layer}.std"].flatten().tolist()
            known |= {"channels": len(mean), "mean": mean, "std": std}
    return known


def named_head(stored: Weights, *, or_none: bool = False) -> HeadFactory | None:
    """The class of the head: as it is named, else as its tensors are.

    Args:
        stored: The weights.
        or_none: Whether a class of another origin is `None`, and no error.

    Raises:
        InputError: If the class is of another origin.
    """
    known = {
        name: head
        for name, head in vars(heads).items()
        if isinstance(head, type) and issubclass(head, Head) and head is not Head
    }
    unit = {"head.weight", "head.scale"} <= stored.tensors.keys()
    name = str(stored.about.get("head", "UnitWeightHead" if unit else "LinearHead"))
    if name not in known and not or_none:
        raise InputError(
            f"weights {stored.source}: made with head {name}, known are "
            f"{', '.join(sorted(known))}: pass head="
        )
    return known.get(name)


def adaptive_losses(stored: Weights) -> tuple[LossName, ...]:
    """Losses that an attacker climbs who knows the defense.

    Raises:
        InputError: If one is unknown.
    """
    named = stored.about.get("adaptive_losses", [])
    if not isinstance(named, list) or any(name not in LOSSES for name in named):
        raise InputError(
            f"weights {stored.source}: adaptive losses {shown(str(named))}, known are "
            f"{', '.join(LOSSES)}"
        )
    return tuple(named)
