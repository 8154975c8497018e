"""The global generators, for layers of others that draw from them, such as dropout.

Nothing of ours draws from them: order, augmentation and attacks have streams of their own.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def global_random(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of PyTorch, Python and NumPy; give them back at the end."""
    before = random_states(device)
    torch.manual_seed(seed % 2**64)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        set_random_states(before, device)


def random_states(device: torch.device) -> dict[str, dict[str, Any]]:
    """Where the generators are: PyTorch's as tensors, the others as plain JSON values."""
    tensors = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    version, words, normal = random.getstate()
    numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    key = numpy["state"]["key"].tolist()
    return {
        "torch_random": tensors,
        "python_random": {"state": [version, list(words), normal]},
        "numpy_random": numpy | {"state": numpy["state"] | {"key": key}},
    }


def set_random_states(states: dict[str, dict[str, Any]], device: torch.device) -> None:
    """Set the generators to where `random_states` found them."""
    torch.set_rng_state(states["torch_random"]["cpu"])
    if "cuda" in states["torch_random"]:
        torch.cuda.set_rng_state(states["torch_random"]["cuda"], device)
    version, words, normal = states["python_random"]["state"]
    random.setstate((version, tuple(words), normal))
    np.random.set_state(states["numpy_random"])  # noqa: NPY002
