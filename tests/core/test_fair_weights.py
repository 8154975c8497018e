import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from classward.core.fair_weights import FairWeights, fair_weights

MATRIX = torch.tensor(
    [
        [0.40, 0.30, 0.20, 0.10],
        [0.28, 0.50, 0.15, 0.07],
        [0.05, 0.45, 0.30, 0.20],
        [0.02, 0.03, 0.35, 0.60],
    ]
)


def test_the_weights_of_dafa():
    found = fair_weights(MATRIX, 1.0)
    assert found.tolist() == pytest.approx([1.190, 0.667, 1.365, 0.778], abs=1e-6)


@given(st.floats(0, 3), st.integers(2, 6), st.integers(0, 99))
def test_what_one_class_gains_another_loses(strength, classes, seed):
    rng = torch.Generator().manual_seed(seed)
    matrix = torch.rand(classes, classes, generator=rng, dtype=torch.float64)
    matrix /= matrix.sum(dim=1, keepdim=True)
    found = fair_weights(matrix, strength)
    assert (found >= 0).all()
    if strength <= 1 / classes:  # no weight is cut off at 0
        assert found.sum().item() == pytest.approx(classes)
    weakest, best = matrix.diagonal().argmin(), matrix.diagonal().argmax()
    assert found[weakest] >= 1 - 1e-12
    assert found[best] <= 1 + 1e-12


def test_weights_are_one_until_the_warm_up_is_over_and_stay_then():
    weights = FairWeights(2, 1.0, warm_up_epochs=2)
    labels, predictions = torch.tensor([0, 0, 1, 1, 1, 1]), torch.tensor([0, 1, 0, 1, 1, 1])
    weights.count(labels, predictions, 0)
    assert weights(labels, 1).tolist() == [1] * 6
    assert weights(labels, 2).tolist() == [1.375] * 2 + [0.625] * 4
    weights.count(labels, 1 - labels, 2)
    assert weights(labels, 3).tolist() == [1.375] * 2 + [0.625] * 4
    again = FairWeights(2, 1.0, warm_up_epochs=2)
    again.load_state_dict(weights.state_dict())
    assert torch.equal(again(labels, 5), weights(labels, 5))


def test_without_strength_nothing_is_counted():
    weights = FairWeights(3, 0.0, warm_up_epochs=1)
    weights.count(torch.tensor([0]), torch.tensor([1]), 0)
    assert not weights.state_dict() and weights(torch.tensor([0, 2]), 9).tolist() == [1, 1]
