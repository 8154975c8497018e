from itertools import permutations

import pytest
import torch
from scipy.stats import spearmanr

from classward.experiments.support_overlap import order_test

OFF = ~torch.eye(4, dtype=torch.bool)


def table(seed):
    drawn = torch.rand(4, 4, generator=torch.Generator().manual_seed(seed))
    return (drawn + drawn.T) / 2


@pytest.mark.parametrize("seed", range(3))
def test_is_spearmans_correlation_off_the_diagonal(seed):
    one, other = table(seed), torch.rand(4, 4, generator=torch.Generator().manual_seed(9))
    found = order_test(one, other)
    assert found.value == pytest.approx(spearmanr(one[OFF], other[OFF]).statistic)


def test_the_null_is_every_other_order():
    one, other = table(1), table(2)
    values = []
    for order in permutations(range(4)):
        shuffled = one[list(order)][:, list(order)]
        values.append(spearmanr(shuffled[OFF], other[OFF]).statistic)
    found = order_test(one, other)
    assert found.null_draws == 23
    assert found.p == pytest.approx(sum(v >= values[0] - 1e-9 for v in values) / 24)


def test_equal_tables_have_the_least_p():
    found = order_test(table(3), 5 * table(3))
    assert (found.value, found.p) == (pytest.approx(1), pytest.approx(1 / 24))


def test_a_constant_table_says_nothing():
    assert order_test(torch.ones(4, 4), table(0)) is None
    assert order_test(table(0), torch.ones(4, 4)) is None
