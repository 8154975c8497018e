import numpy as np
import pytest

from classward.core.wilson import wilson
from classward.reporting.pair_flows import pair_flows

COUNTS = np.array([[6, 40, 4, 0], [9, 40, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])


def test_sure_large_flows_come_first_and_carry_both_ways():
    first, second, third, fourth = pair_flows(COUNTS, [(0, 1)])
    assert (first.source, first.target, first.mutual) == (0, 1, True)
    assert (first.there.count, first.there.total, first.back.count) == (40, 50, 9)
    assert (first.there.low, first.there.high) == pytest.approx(wilson(40, 50))
    assert (second.source, second.target) == (3, 0)  # 1 of 1, but of one sample
    assert (third.source, third.target, third.back.value) == (0, 2, None)
    assert (fourth.source, fourth.target, fourth.mutual) == (1, 3, False)


def test_pairs_without_a_flow_are_left_out_and_the_list_may_be_cut():
    assert pair_flows(np.diag([3, 4]), []) == []
    assert len(pair_flows(COUNTS, [], most=1)) == 1


def test_a_thousand_classes_are_no_burden():
    rng = np.random.default_rng(0)
    flows = pair_flows(rng.integers(0, 5, (1000, 1000)), [])
    assert len(flows) == 200
    lows = [flow.there.low for flow in flows]
    assert lows == sorted(lows, reverse=True)
    assert all(flow.there.low >= flow.back.low for flow in flows)
