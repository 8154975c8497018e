import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.analysis.attack_matrix import (
    attack_matrix,
    attack_proportion,
    attack_success_rate,
    matrix_intervals,
)
from classward.core.confusion import confusion
from classward.core.wilson import wilson

LABELS = torch.tensor([0, 0, 0, 1, 1, 3])
CLEAN = torch.tensor([0, 0, 1, 1, 0, 3])
PREDICTIONS = torch.tensor([1, 0, 1, 1, 1, 0])


def test_success_rate_over_all_and_over_correct():
    everything = attack_success_rate(LABELS, PREDICTIONS)
    assert (everything.count, everything.total) == (3, 6)
    correct = attack_success_rate(LABELS, PREDICTIONS, over="correct", clean_predictions=CLEAN)
    assert (correct.count, correct.total) == (2, 4)


def test_success_rate_over_correct_needs_the_clean_predictions():
    with pytest.raises(ValueError, match="needs clean_predictions"):
        attack_success_rate(LABELS, PREDICTIONS, over="correct")


def test_success_rate_without_samples_is_undefined():
    nothing = torch.tensor([], dtype=torch.int64)
    assert attack_success_rate(nothing, nothing).value is None


@settings(deadline=None)
@given(data=st.data(), k=st.integers(1, 6), n=st.integers(0, 40))
def test_matrix_is_the_definition_written_as_loops(data, k, n):
    classes = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    labels, predictions = (torch.tensor(data.draw(classes)).long() for _ in range(2))
    matrix, (low, high) = (
        attack_matrix(labels, predictions, k),
        matrix_intervals(confusion(labels, predictions, k)),
    )
    for i in range(k):
        subset = [
            p for y, p in zip(labels.tolist(), predictions.tolist(), strict=True) if y == i
        ]
        for j in range(k):
            proportion = attack_proportion(labels, predictions, i, j)
            assert proportion.total == len(subset)
            if not subset:
                assert proportion.value is None and matrix[i, j].isnan()
                assert low[i, j].isnan() and high[i, j].isnan()
                continue
            assert matrix[i, j] == proportion.value == subset.count(j) / len(subset)
            assert (low[i, j], high[i, j]) == wilson(subset.count(j), len(subset))
        assert not subset or matrix[i].sum().item() == pytest.approx(1)


def test_relabelling_the_classes_permutes_the_matrix():
    order = torch.tensor([2, 0, 3, 1])
    matrix = attack_matrix(LABELS, PREDICTIONS, 4)
    relabelled = attack_matrix(order[LABELS], order[PREDICTIONS], 4)
    torch.testing.assert_close(relabelled[order][:, order], matrix, equal_nan=True)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_what_is_no_class_is_named(wrong):
    good, bad = torch.tensor([0, 2]), torch.tensor([0, wrong])
    with pytest.raises(ValueError, match=rf"label {wrong} is not a class of 0\.\.2"):
        attack_matrix(bad, good, 3)
    with pytest.raises(ValueError, match=rf"prediction {wrong} is not a class"):
        attack_matrix(good, bad, 3)
