"""Schedules that papers and their programs trained with, by name.

Sources: Mei et al. (AAAI 2023) for "symmetry"; the programs of Madry et al. (arXiv:1706.06083),
Zhang et al. (arXiv:1901.08573), Wang et al. (ICLR 2020), Pang et al. (NeurIPS 2020) and Wong et
al. (ICLR 2020).
Reading: epochs are of 50,000 images. The optimiser is SGD with Nesterov momentum for all; none
but "symmetry" warms the radius up. "one_cycle" has the epochs and the highest rate of Wong et
al. and this package's shape of the cycle.
"""

import difflib
from typing import Any

from classward.core.errors import InputError
from classward.training.schedule import Recipe

CIFAR: dict[str, Any] = {"warm_up": 0.0, "augment": True}  # crops and mirror images
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "symmetry": {"augment": True},
    "madry": CIFAR | {"epochs": 205, "weight_decay": 2e-4},  # 80,000 steps
    "trades": CIFAR | {"epochs": 76, "weight_decay": 2e-4, "drops": (75 / 76,)},
    "mart": CIFAR
    | {
        "epochs": 120,
        "learning_rate": 0.01,
        "weight_decay": 3.5e-3,
        "drops": (75 / 120, 90 / 120, 100 / 120),
    },
    "mart_wide": CIFAR | {"epochs": 90, "weight_decay": 7e-4, "drops": (75 / 90,)},
    "hypersphere": CIFAR | {"epochs": 77, "drops": (75 / 77,)},
    "one_cycle": CIFAR | {"epochs": 15, "learning_rate": 0.2, "schedule": "one_cycle"},
}


def recipe(name: str, **changes: Any) -> Recipe:
    """The recipe of that name, but for these options.

    Raises:
        InputError: If there is none of that name.
        ValueError: If an option is unknown or unfit (one line).

    >>> recipe("trades", batch_size=64).epochs
    76
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=1, cutoff=0)
        raise InputError(f"unknown recipe {name!r}, the nearest is {near[0]!r}")
    return Recipe(**RECIPES[name] | changes)
