import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from classward.core.wilson import wilson


@settings(deadline=None)
@given(total=st.integers(1, 10**6), part=st.floats(0, 1))
def test_wilson_is_that_of_scipy(total, part):
    count = round(part * total)
    interval = stats.binomtest(count, total).proportion_ci(method="wilson")
    assert wilson(count, total) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_interval_ends_are_shares_and_hold_the_share():
    assert wilson(0, 10) == pytest.approx((0, 0.277533), abs=1e-6)
    for total in range(1, 40):
        assert wilson(0, total)[0] >= 0 and wilson(total, total)[1] <= 1
    for count in range(1, 10):
        low, high = wilson(count, 10)
        assert low < count / 10 < high


@pytest.mark.parametrize(("count", "total"), [(0, 0), (-1, 4), (5, 4)])
def test_what_is_no_share_is_refused(count, total):
    with pytest.raises(ValueError, match=f"no share: {count} of {total} samples"):
        wilson(count, total)
