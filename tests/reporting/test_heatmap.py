import numpy as np

from classward.reporting.heatmap import plot_attack_matrix, plot_attack_matrix_pixels

MATRIX = np.array([[0.5, 0.496, 0.004], [0.9, 0.1, 0.0], [np.nan, np.nan, np.nan]])
NAMES = ["cat", "$dog$", "owl"]


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_shares_are_written_in_percent():
    assert texts(plot_attack_matrix(MATRIX, NAMES, [])) == [
        "50",
        "50",
        "<1",
        "90",
        "10",
        "no samples",
    ]


def test_the_class_is_the_row_and_runs_downwards():
    axes = plot_attack_matrix(MATRIX, NAMES, [])
    assert axes.yaxis_inverted() and axes.get_ylabel() == "class"
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES


def test_pairs_are_framed_both_ways_round():
    frames = [
        patch
        for patch in plot_attack_matrix(MATRIX, NAMES, [(0, 1)]).patches
        if not patch.get_fill()
    ]
    assert sorted((round(p.get_x()), round(p.get_y())) for p in frames) == [(0, 1), (1, 0)]


def test_undefined_rows_are_hatched():
    (hatched,) = [p for p in plot_attack_matrix(MATRIX, NAMES, []).patches if p.get_hatch()]
    assert hatched.get_y() == 2 and hatched.get_width() == 3


def test_colours_span_the_flows_and_not_the_diagonal():
    image = plot_attack_matrix(MATRIX, NAMES, []).collections[0]
    assert image.get_clim() == (0, 0.9)
    robust = plot_attack_matrix(np.eye(3), NAMES, []).collections[0]
    assert robust.get_clim()[1] > 0  # without any flow too


def test_many_classes_are_an_image():
    (image,) = plot_attack_matrix_pixels(np.eye(1000)).images
    assert image.get_array().shape == (250, 250)
    assert image.get_extent() == [0, 1000, 1000, 0]
