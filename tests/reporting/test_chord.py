from itertools import pairwise

import numpy as np
import pytest

from classward.reporting.chord import _places, plot_chord
from classward.reporting.figure import svg

MATRIX = np.array([[0.2, 0.6, 0.2], [0.5, 0.4, 0.1], [0.0, 0.0, 1.0]])
NAMES = ["<b>cat</b>", "$dog$", "owl"]


def test_ribbons_fill_the_sector_without_overlap():
    places = _places(MATRIX * (1 - np.eye(3)))
    for i, row in enumerate(MATRIX):
        spans = sorted(places[i, j] for j in range(3) if j != i)
        assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(row.sum() - row[i])
        assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(spans))
        assert all(
            places[i, j][1] - places[i, j][0] == pytest.approx(row[j])
            for j in range(3)
            if j != i
        )


def test_only_pairs_have_a_colour_of_their_own():
    plain, paired = (svg(plot_chord(MATRIX, NAMES, pairs), "x") for pairs in ([], [(0, 1)]))
    assert "#0072b2" not in plain and "#0072b2" in paired


def test_names_are_text_and_nothing_else():
    drawn = svg(plot_chord(MATRIX, NAMES, []), "x")
    assert "&lt;b&gt;cat&lt;/b&gt;" in drawn and "<b>" not in drawn and ">$dog$<" in drawn


def test_two_classes_and_undefined_rows():
    matrix = np.array([[0.3, 0.7], [np.nan, np.nan]])
    assert svg(plot_chord(matrix, ["a", "b"], []), "x").startswith("<svg")
