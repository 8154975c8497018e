import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from classward.reporting.figure import HIGHLIGHT, svg
from classward.reporting.pair_flows import pair_flows
from classward.reporting.pair_graph import MOST_EDGES, drawn, plot_pair_graph, spread

COUNTS = np.array([[6, 40, 4], [35, 15, 0], [2, 0, 48]])
NAMES = ["<b>cat</b>", "$dog$", "owl"]


def arrows(axes):
    return [text.arrow_patch for text in axes.texts if text.arrow_patch is not None]


def test_mutual_pairs_go_both_ways_in_a_colour_of_their_own():
    axes = plot_pair_graph(pair_flows(COUNTS, [(0, 1)]), NAMES)
    colours = [to_hex(arrow.get_edgecolor()) for arrow in arrows(axes)]
    assert colours.count(HIGHLIGHT) == 2 and len(colours) == 3  # 2 -> 0 is too small a way back
    widths = sorted(arrow.get_linewidth() for arrow in arrows(axes))
    assert widths[-1] > widths[-2] > widths[0]


def test_names_are_text_and_nothing_else():
    text = svg(plot_pair_graph(pair_flows(COUNTS, []), NAMES), "x")
    assert "&lt;b&gt;cat&lt;/b&gt;" in text and "<b>" not in text and ">$dog$<" in text


def test_it_is_drawn_where_it_is_told():
    axes = Figure().add_subplot()
    assert plot_pair_graph(pair_flows(COUNTS, []), NAMES, axes) is axes


def test_half_of_the_graph_is_for_mutual_pairs():
    counts = np.random.default_rng(0).integers(1, 60, (20, 20))
    flows = pair_flows(counts, [(2 * n, 2 * n + 1) for n in range(10)])
    shown = drawn(flows)
    assert len(shown) == MOST_EDGES and sum(flow.mutual for flow in shown) >= MOST_EDGES // 2
    assert len({(flow.source, flow.target) for flow in shown}) == MOST_EDGES


def test_joined_classes_stand_closer_than_others():
    places = spread([(0, 1), (2, 3), (5, 9)])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    joined = [apart[0, 1], apart[2, 3], apart[4, 5]]
    np.fill_diagonal(apart, 9)
    apart[[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]] = 9
    assert max(joined) < apart.min()
    assert np.abs(places).max() == 1


def test_two_classes_stand_side_by_side():
    places = spread([(0, 1)])
    assert np.abs(places[:, 0]).tolist() == pytest.approx([1, 1])
    assert places[:, 1].tolist() == pytest.approx([0, 0])
