import random

import numpy as np
import pytest
import torch

from classward.core.global_random import global_random, random_states, set_random_states

CPU = torch.device("cpu")


def draws():
    """Of PyTorch and NumPy; Python's generator is drawn from by the run-time type checks."""
    return torch.rand(3).tolist(), np.random.random(3).tolist()  # noqa: NPY002


def test_seeds_the_generators_and_gives_them_back():
    before = random_states(CPU)
    with global_random(7, CPU):
        first = draws()
    after = random_states(CPU)
    assert torch.equal(before["torch_random"]["cpu"], after["torch_random"]["cpu"])
    assert before["numpy_random"] == after["numpy_random"]
    with global_random(7, CPU):
        assert draws() == first
    with global_random(8, CPU):
        assert draws() != first


def test_gives_them_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="shapes"), global_random(0, CPU):
        torch.rand(5) @ torch.rand(3, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [0, -1, 2**40])
def test_any_integer_is_a_seed(seed):
    with global_random(seed, CPU):
        assert len(draws()) == 2


def test_states_bring_back_every_generator():
    with global_random(0, CPU):
        random.gauss(0, 1)  # leaves a second number behind
        states = random_states(CPU)
        first = (*draws(), np.random.randn(), random.random(), random.gauss(0, 1))  # noqa: NPY002
        set_random_states(states, CPU)
        assert (*draws(), np.random.randn(), random.random(), random.gauss(0, 1)) == first  # noqa: NPY002
