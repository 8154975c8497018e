import pytest
import torch

from classward.core.errors import InvariantError
from classward.evaluation.oracle import CountingOracle


def oracle(decisions=False):
    return CountingOracle(lambda x: x.flatten(1), samples=3, budget=2, decisions=decisions)


def test_counts_each_image_of_each_sample():
    asked = oracle()
    asked(torch.rand(4, 1, 1, 2), torch.tensor([0, 0, 2, 1]))
    assert asked.spent.tolist() == [2, 1, 1]
    assert asked.left.tolist() == [0, 1, 1]


def test_refuses_past_the_budget_and_asks_nothing_then():
    calls = []
    asked = CountingOracle(calls.append, samples=2, budget=1, decisions=False)
    with pytest.raises(
        InvariantError, match="query 2 for sample 1 of its batch, the budget is 1"
    ):
        asked(torch.rand(2, 1, 1, 2), torch.tensor([1, 1]))
    assert calls == [] and asked.spent.tolist() == [0, 0]


def test_decisions_are_classes_alone():
    images = torch.tensor([[[[0.1, 0.9]]], [[[0.9, 0.1]]]])
    assert oracle(decisions=True)(images, torch.tensor([0, 1])).tolist() == [1, 0]
    assert oracle()(images, torch.tensor([0, 1])).shape == (2, 2)


def test_gives_no_gradient():
    images = torch.rand(1, 1, 1, 2, requires_grad=True)
    assert not oracle()(images, torch.tensor([0])).requires_grad
