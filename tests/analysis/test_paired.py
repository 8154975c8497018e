import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from classward.analysis.paired import counted, difference, holm, mcnemar, paired_bounds

counts = st.integers(0, 300)


@settings(deadline=None, max_examples=60)
@given(lost=counts, gained=counts)
def test_the_test_is_the_exact_binomial_one_of_scipy(lost, gained):
    p = mcnemar(torch.tensor(lost), torch.tensor(gained)).item()
    both = lost + gained
    expected = stats.binomtest(lost, both).pvalue if both else 1.0
    assert p == pytest.approx(expected, rel=1e-9)


def test_a_table_is_tested_entry_by_entry():
    lost, gained = torch.tensor([[0, 8], [3, 1]]), torch.tensor([[0, 0], [3, 9]])
    found = mcnemar(lost, gained)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert found[i, j] == mcnemar(lost[i, j], gained[i, j])
    assert found[0].tolist() == [1.0, 2 * 0.5**8]


def test_the_interval_is_that_of_bonett_and_price():
    """By hand: 10 of 50 lost, 2 gained, so 11/52 against 3/52."""
    low, high = paired_bounds(*torch.tensor([[10], [2], [50]]))
    fewer, more = 11 / 52, 3 / 52
    half = 1.959963985 * ((fewer + more - (more - fewer) ** 2) / 52) ** 0.5
    assert low.item() == pytest.approx(more - fewer - half, abs=1e-9)
    assert high.item() == pytest.approx(more - fewer + half, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.tuples(counts, counts, counts).filter(any))
def test_the_interval_holds_the_difference_and_is_a_difference(cells):
    lost, gained, same = cells
    total = lost + gained + same
    low, high = (end.item() for end in paired_bounds(*torch.tensor([lost, gained, total])))
    assert -1 <= low <= (gained - lost) / total <= high <= 1


def test_intervals_hold_the_truth_in_95_percent_of_draws():
    cells = torch.tensor([0.1, 0.04, 0.86]).double()
    rng = torch.Generator().manual_seed(3)
    draws = torch.multinomial(cells.repeat(4000, 1), 100, replacement=True, generator=rng)
    lost, gained = (draws == 0).sum(1), (draws == 1).sum(1)
    low, high = paired_bounds(lost, gained, torch.full_like(lost, 100))
    covered = ((low <= -0.06) & (-0.06 <= high)).double().mean().item()
    assert 0.94 <= covered <= 0.97


def test_without_samples_nothing_is_defined():
    low, high = paired_bounds(*torch.tensor([[0], [0], [0]]))
    assert low.isnan().all() and high.isnan().all()
    empty = counted(0, 0, 0, 0)
    assert (empty.difference, empty.p, empty.low, empty.significant) == (
        None,
        None,
        None,
        False,
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_its_definition(values):
    adjusted = holm(torch.tensor(values, dtype=torch.float64)).tolist()
    order = sorted(range(len(values)), key=lambda i: values[i])
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(values) - rank) * values[i]))
        assert adjusted[i] == pytest.approx(running)


def test_a_difference_counts_samples_not_shares():
    reference = torch.tensor([1, 1, 1, 0, 0, 1, 0, 1], dtype=torch.bool)
    other = torch.tensor([1, 0, 0, 1, 0, 1, 0, 0], dtype=torch.bool)
    found = difference(reference, other)
    assert (found.lost, found.gained, found.total) == (3, 1, 8)
    assert (found.reference, found.other, found.difference) == (5 / 8, 3 / 8, -2 / 8)
    assert found.p == stats.binomtest(1, 4).pvalue and not found.significant


def test_worse_takes_a_loss_that_is_more_than_chance():
    assert counted(50, 8, 0, 100).worse
    assert not counted(50, 0, 8, 100).worse and counted(50, 0, 8, 100).significant
    assert not counted(50, 5, 0, 100).worse
    assert not counted(50, 8, 0, 100, adjusted_p=0.07).worse
