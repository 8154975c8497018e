import numpy as np

from classward.reporting.difference import plot_difference, plot_difference_pixels
from classward.reporting.wording import MINUS

CHANGE = np.array([[-0.3, 0.297, 0.003], [-0.1, 0.1, 0.0], [np.nan, np.nan, np.nan]])
NAMES = ["cat", "$dog$", "owl"]


def test_changes_are_written_in_rounded_points():
    texts = [text.get_text() for text in plot_difference(CHANGE, NAMES).texts]
    assert texts == [f"{MINUS}30", "+30", f"{MINUS}10", "+10"]


def test_colours_are_even_around_no_change_and_leave_the_diagonal_out():
    (image,) = plot_difference(CHANGE, NAMES).images
    assert image.get_clim() == (-0.297, 0.297)
    assert np.ma.getmaskarray(image.get_array()).tolist() == [
        [True, False, False],
        [False, True, False],
        [True, True, True],
    ]


def test_the_class_is_the_row_and_runs_downwards():
    axes = plot_difference(CHANGE, NAMES)
    assert axes.yaxis_inverted() and axes.get_ylabel() == "class"
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES


def test_many_classes_keep_the_largest_change_with_its_sign():
    change = np.zeros((500, 500))
    change[0, 3], change[1, 3] = -0.4, 0.3
    (image,) = plot_difference_pixels(change).images
    assert image.get_array().shape == (250, 250)
    assert image.get_array().min() == -0.4 and image.get_array().max() == 0


def test_no_change_at_all_can_be_drawn():
    (image,) = plot_difference(np.zeros((2, 2)), NAMES[:2]).images
    assert image.get_clim() == (-0.01, 0.01)
