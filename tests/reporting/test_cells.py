import numpy as np

from classward.records.result import Share
from classward.reporting.cells import (
    cell_shares,
    change_cells,
    counted,
    matrix_view,
    share_cells,
)
from classward.reporting.heatmap import plot_attack_matrix

COUNTS = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 4]])


def test_cells_are_shares_of_their_row_with_the_interval():
    (first, _), (none, _) = cell_shares(COUNTS, [0, 1])
    assert (first.count, first.total, first.value) == (3, 4, 0.75)
    assert first.low < 0.75 < first.high
    assert none == Share(count=0, total=0, value=None, low=None, high=None)


def test_of_some_classes_the_shares_are_still_of_all_samples():
    assert cell_shares(COUNTS, [2, 0])[0][1].value == 0.25


def test_shares_are_told_with_their_counts():
    row, undefined = share_cells(cell_shares(COUNTS, [0, 1]))
    assert row[0][0] == "75.0%" and row[0][1].startswith("3 of 4 samples: 75.0% (")
    assert undefined[1] == ("undefined", "undefined: no samples")


def test_counts_behind_shares(audit_of):
    audit = audit_of(empty=(2,))
    samples = [entry.samples for entry in audit.per_class]
    assert counted(audit.attack_matrix, samples).tolist() == audit.analysis.counts


def test_a_change_has_the_p_value_that_the_result_has(comparison_of):
    comparison = comparison_of(empty=(3,))
    cells = change_cells(comparison.differences[0], comparison.classes, [0, 1, 3])
    assert cells[1][0][1].endswith("), p = 0.001, adjusted")
    assert cells[1][0][1].startswith("60.0% in the reference, ")
    assert "p " not in cells[0][1][1] and cells[0][1][1].endswith(" points")
    assert cells[2][0] == ("undefined", "undefined: no samples")


def test_the_box_is_where_the_cells_are_drawn():
    shares = np.array([[0.9, 0.1], [0.2, 0.8]])
    axes = plot_attack_matrix(shares, ["a", "b"])
    cells = share_cells(cell_shares(np.array([[9, 1], [2, 8]]), [0, 1]))
    view = matrix_view("matrix", axes, ["a", "b"], [0, 1], cells)
    left, top, width, height = view["script"]["box"]
    assert 0 < left < 50 and 0 <= top < 10 and left + width < 100 and top + height < 100
    wide, high = axes.figure.get_size_inches()
    assert abs(width * wide - height * high) < 1  # cells are squares
    assert view["rows"] == [["90.0%", "10.0%"], ["20.0%", "80.0%"]]
