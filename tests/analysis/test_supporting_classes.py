"""S_k against the worked example, against autograd, and on networks that are made so."""

from typing import get_args

import pytest
import torch
from torch import nn

from classward.analysis.supporting_classes import (
    ROWS,
    Part,
    bhattacharyya,
    lowered,
    support,
    support_by_backward,
    top_counts,
)

W1 = torch.tensor([[1, -1, 0], [0.5, 0.5, -1], [-1, 0, 1], [0, 1, 1]])
B1 = torch.tensor([0, 0.1, 0, -0.6])
W2 = torch.tensor([[1, 0, -1, 0.5], [0, 2, 0, -1], [-1, 1, 1, 0]])
Z = torch.tensor([[1, 0.2, 0.3], [-0.5, 0.4, 0.8]])
Y = torch.tensor([0, 2])


def network(hidden=64, classes=12):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(classes, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def test_worked_example():
    found = {part: support(Z, Y, W2, W1, B1, part=part) for part in get_args(Part)}
    wanted = torch.tensor([[0.5, -1.5, 1], [-1, 1 / 6, 7 / 6]])
    torch.testing.assert_close(found["joined"], wanted)
    jacobian = torch.tensor([[1, -1, 0], [1, 1, -2], [-0.5, 1.5, -1]])
    torch.testing.assert_close(found["own"][0], jacobian[0])
    torch.testing.assert_close(found["mean"][0], jacobian.mean(dim=0))


@pytest.mark.parametrize("part", get_args(Part))
@pytest.mark.parametrize("count", [1, ROWS + 3])
def test_closed_form_is_one_backward_pass(count, part):
    made = network()
    generator = torch.Generator().manual_seed(1)
    logits = 5 * torch.randn(count, 12, generator=generator)
    labels = torch.randint(12, (count,), generator=generator)
    weights = (made[2].weight, made[0].weight, made[0].bias)
    with torch.no_grad():
        closed = support(logits, labels, *weights, part=part)
    backward = support_by_backward(made, logits, labels, part=part)
    assert (closed - backward).abs().max() <= 1e-6


def test_a_linear_network_supports_alike_everywhere():
    layer = nn.Linear(12, 12)
    logits, labels = torch.randn(5, 12), torch.tensor([3, 3, 3, 1, 1])
    with torch.no_grad():
        closed = support(logits, labels, layer.weight)
    torch.testing.assert_close(closed, support_by_backward(layer, logits, labels))
    assert torch.equal(closed[0], closed[2]) and not torch.equal(closed[0], closed[3])


def test_a_constant_added_to_all_outputs_changes_h_and_not_s():
    made, logits, labels = network(), torch.randn(7, 12), torch.arange(7)
    with torch.no_grad():
        weights = (made[2].weight, made[0].weight, made[0].bias)
        moved = (weights[0] + torch.randn(64), *weights[1:])
        joined = [support(logits, labels, *given) for given in (weights, moved)]
        mean = [support(logits, labels, *given, part="mean") for given in (weights, moved)]
    torch.testing.assert_close(*joined, atol=1e-5, rtol=0)
    assert (mean[0] - mean[1]).abs().max() > 0.1


def test_counts_of_the_greatest():
    scores = torch.tensor([[3.0, 2, 1, 0], [3, 0, 2, 1], [0, 3, 2, 1]])
    assert top_counts(scores, 1).tolist() == [2, 1, 0, 0]
    assert top_counts(scores, 2).tolist() == [2, 2, 2, 0]
    assert top_counts(scores, 4).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [([1, 2, 3], [2, 4, 6], 1.0), ([1, 0, 5], [0, 9, 0], 0.0), ([0, 0, 0], [1, 2, 3], None)],
)
def test_overlap(one, other, overlap):
    found = bhattacharyya(torch.tensor(one), torch.tensor(other))
    assert found == (overlap if overlap is None else pytest.approx(overlap))


def test_lowered_leaves_the_logits_alone():
    logits = torch.ones(2, 4)
    changed = lowered(logits, torch.tensor([1, 3]), 20.0)
    assert changed.tolist() == [[1, -19, 1, -19]] * 2 and logits.eq(1).all()
