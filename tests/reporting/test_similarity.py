import numpy as np

from classward.reporting.similarity import beside_flows

WEIGHTS = np.array([[1.0, -0.4, 0.2], [-0.4, 1.0, 0.1], [0.2, 0.1, 1.0]])
MATRIX = np.array([[0.5, 0.3, 0.2], [np.nan, np.nan, np.nan], [0.1, 0.1, 0.8]])


def test_the_diagonal_is_in_neither_panel_and_scales_fit():
    left, right = (
        axes.images[0] for axes in beside_flows(WEIGHTS, MATRIX, list("abc")).axes[:2]
    )
    assert left.get_clim() == (-0.4, 0.4) and right.get_clim() == (0, 0.3)
    assert left.get_array().mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert right.get_array().mask[1].all()


def test_many_classes_are_pooled_and_not_named():
    left = beside_flows(np.eye(500), np.eye(500), [str(i) for i in range(500)]).axes[0]
    assert left.images[0].get_array().shape == (250, 250)
    assert not left.get_yticklabels()
