import numpy as np
import pytest

from classward.reporting.busiest import busiest, coarse, off_diagonal


def test_all_classes_when_they_can_be_read():
    assert busiest(np.eye(20)) == list(range(20))


@pytest.mark.parametrize("classes", [21, 50])
def test_both_ends_of_the_heaviest_flow_are_shown(classes):
    matrix = np.random.default_rng(classes).random((classes, classes))
    flows = off_diagonal(matrix)
    chosen = busiest(matrix)
    i, j = np.unravel_index(flows.argmax(), flows.shape)
    assert {i, j} <= set(chosen) and 18 < len(chosen) <= 20 and chosen == sorted(chosen)
    hidden = np.delete(flows, chosen, axis=0)
    hidden = np.delete(hidden, chosen, axis=1)
    assert hidden.max() <= flows[np.ix_(chosen, chosen)].max()


def test_undefined_rows_have_no_flows():
    matrix = np.array([[0.5, 0.5], [np.nan, np.nan]])
    assert off_diagonal(matrix).tolist() == [[0, 0.5], [0, 0]]


def test_no_flow_is_lost_in_a_coarse_image():
    matrix = np.zeros((601, 601))
    matrix[600, 7] = 0.3
    image = coarse(matrix)
    assert image.shape == (201, 201) and image[200, 2] == 0.3 and image.sum() == 0.3


def test_few_classes_keep_their_pixels():
    matrix = np.random.default_rng(0).random((250, 250))
    assert np.array_equal(coarse(matrix), matrix)
