from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from classward.analysis import significance
from classward.analysis.significance import (
    against_null,
    average_ranks,
    bowker,
    row_shuffles,
    share,
)
from classward.core.wilson import wilson, wilson_bounds


def test_a_share_without_samples_is_undefined():
    assert share(0, 0).to_dict() == {
        "count": 0,
        "total": 0,
        "value": None,
        "low": None,
        "high": None,
    }
    assert share(1, 4).value == 0.25 and (share(1, 4).low, share(1, 4).high) == wilson(1, 4)
    low, high = wilson_bounds(torch.tensor([0, 1]), torch.tensor([0, 4]))
    assert low.isnan().tolist() == high.isnan().tolist() == [True, False]


def test_bowker_of_a_known_table(matrix4):
    test = bowker((1000 * matrix4).round().long())
    assert test.value == pytest.approx(350.932, abs=5e-4)
    assert test.null == 6 and "6 degrees" in test.null_name and test.null_draws == 0
    assert test.p == pytest.approx(stats.chi2.sf(test.value, 6))


def test_bowker_counts_only_pairs_that_occur():
    assert bowker(torch.eye(3).long()) is None
    one_pair = torch.tensor([[9, 6, 0], [2, 9, 0], [0, 0, 0]])
    assert bowker(one_pair).value == 2 and bowker(one_pair).null == 1
    assert bowker(one_pair + one_pair.T).p == 1


def test_bowker_is_chi_squared_where_both_ways_are_equal():
    rates = torch.full((500, 4, 4), 50.0)
    tables = torch.poisson(rates, torch.Generator().manual_seed(0)).long()
    assert stats.kstest([bowker(table).p for table in tables], "uniform").pvalue > 0.01


@settings(deadline=None)
@given(values=st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy(values):
    ranks = average_ranks(torch.tensor(values).double())
    assert ranks.tolist() == stats.rankdata(values).tolist()


def test_shuffles_move_entries_within_their_row_off_the_diagonal(matrix4):
    shuffles = torch.cat(list(row_shuffles(matrix4, 50, seed=1)))
    assert shuffles.shape == (50, 4, 4)
    assert torch.equal(shuffles.diagonal(dim1=1, dim2=2), matrix4.diagonal().expand(50, 4))
    assert torch.equal(shuffles.sort(dim=2).values, matrix4.sort(dim=1).values.expand(50, 4, 4))


def test_every_arrangement_is_drawn_alike():
    matrix = torch.arange(9).view(3, 3).double()
    seen = Counter(
        tuple(drawn.flatten().tolist())
        for chunk in row_shuffles(matrix, 4000, seed=3)
        for drawn in chunk
    )
    assert len(seen) == 8
    assert stats.chisquare(list(seen.values())).pvalue > 1e-3


def test_shuffles_depend_on_the_seed_and_not_on_the_chunk(matrix4, monkeypatch):
    whole = torch.cat(list(row_shuffles(matrix4, 20, seed=5)))
    other = torch.cat(list(row_shuffles(matrix4, 20, seed=6)))
    monkeypatch.setattr(significance, "CHUNK", 3 * 16)
    chunks = list(row_shuffles(matrix4, 20, seed=5))
    assert [len(chunk) for chunk in chunks] == [3] * 6 + [2]
    assert torch.equal(torch.cat(chunks), whole) and not torch.equal(other, whole)


def test_p_counts_the_sample_itself_and_forgives_rounding():
    null = torch.tensor([0.1, 0.3 - 1e-15, 0.4, 0.2], dtype=torch.float64)
    test = against_null(0.3, null, "by hand")
    assert test.p == (1 + 2) / (1 + 4) and test.null == pytest.approx(0.25)
    assert test.null_draws == 4 and test.null_name == "by hand"
    assert against_null(1.0, null, "by hand").p == 1 / 5
