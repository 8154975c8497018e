import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.tables import read_labels, read_logits

GOOD = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]


@pytest.mark.parametrize(
    "table",
    [
        GOOD,
        np.array(GOOD),
        np.array(GOOD, "f2"),
        np.array(GOOD)[::-1][::-1],
        torch.tensor(GOOD, requires_grad=True),
        np.frombuffer(np.array(GOOD, "f4").tobytes(), "f4").reshape(2, 3),  # read-only
    ],
)
def test_what_holds_a_table_is_read(table):
    logits = read_logits(table, "X", 3)
    assert logits.dtype == torch.float32 and not logits.requires_grad
    torch.testing.assert_close(logits, torch.tensor(GOOD))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([1.0, 2.0], r"X: expected logits, samples x classes, got shape \(2,\)"),
        ([[1.0], [2.0]], r"got shape \(2, 1\)"),
        ([[1.0, 2.0]], "X: 2 logits for each sample, not 3"),
        ([[1.0, 2.0, 3.0], [1.0, float("nan"), 0.0]], "X: the logits of row 1 are not finite"),
        (np.array([[1e300, 0.0, 0.0]]), "the logits of row 0 are not finite"),
        ([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], "X: rows sum to 1, so are probabilities"),
        ([["a", "b", "c"]], "X: expected numbers, got list"),
        ([[1.0, 2.0, 3.0], [1.0]], "X: expected numbers, got list"),
    ],
)
def test_what_is_no_table_of_logits_is_refused_in_one_line(table, said):
    with pytest.raises(InputError, match=said) as caught:
        read_logits(table, "X", 3)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_log_probabilities_are_logits():
    assert read_logits(torch.tensor(GOOD).log_softmax(dim=1), "X").shape == (2, 3)


def test_no_samples_are_a_table_too():
    assert read_logits(np.zeros((0, 3)), "X", 3).shape == (0, 3)


@pytest.mark.parametrize(
    "labels", [[2, 0], [2.0, 0.0], np.array([2, 0], "u1"), torch.tensor([2, 0])]
)
def test_class_ids_are_read(labels):
    assert torch.equal(read_labels(labels, torch.tensor(GOOD)), torch.tensor([2, 0]))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0], r"y: expected 2 class ids, one for each row, got int64 of shape \(1,\)"),
        ([0.5, 1.0], "Unknown label type: expected class ids, got float64"),
        ([True, False], "got bool"),
        ([[0, 1], [1, 0]], r"one for each row, got int64 of shape \(2, 2\)"),
        ([0.0, float("inf")], "Unknown label type: expected class ids, got float64"),
        (None, "the target y is None"),
        ([0, 3], r"y: 3 of row 1 is not in 0\.\.2"),
        ([-1, 0], r"y: -1 of row 0 is not in 0\.\.2"),
        (["cat", "dog"], "got <U3"),
    ],
)
def test_what_are_no_class_ids_is_refused(labels, said):
    with pytest.raises(InputError, match=said):
        read_labels(labels, torch.tensor(GOOD))
