from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from classward.analysis import weight_similarity as module
from classward.analysis.weight_similarity import mantel, weight_similarity


def random_matrix(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(classes, classes, generator=generator, dtype=torch.float64)


def random_similarity(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    return weight_similarity(torch.randn(classes, classes + 2, generator=generator))


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 8), d=st.integers(1, 5))
def test_similarity_is_the_definition_written_as_loops(seed, k, d):
    weights = torch.randn(k, d, generator=torch.Generator().manual_seed(seed)).double()
    similarity = weight_similarity(weights)
    for i, w in enumerate(weights):
        for j, v in enumerate(weights):
            cosine = (w @ v).item() / (w.norm() * v.norm()).item()
            assert similarity[i, j].item() == pytest.approx(cosine, abs=1e-12)
    assert similarity.abs().max() <= 1 and (similarity.diagonal() == 1).all()
    torch.testing.assert_close(weight_similarity(7 * weights), similarity)


def test_similarity_survives_huge_and_tiny_weights():
    weights = torch.tensor([[1e30, 0.0], [1e-30, 1e-30]])
    assert weight_similarity(weights)[0, 1].item() == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_the_class_without_a_direction_is_named(value):
    weights = torch.ones(3, 2)
    weights[1] = value
    with pytest.raises(ValueError, match="class 1 are all zero or not finite"):
        weight_similarity(weights)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), k=st.integers(3, 9))
def test_rho_is_spearmans_over_pairs_of_classes(seed, k):
    similarity, matrix = (
        random_similarity(seed, k),
        random_matrix(seed + 1, k).round(decimals=1),
    )
    i, j = torch.triu_indices(k, k, offset=1)
    flows = (matrix + matrix.T)[i, j].round(decimals=6)
    if flows.min() == flows.max():
        assert mantel(similarity, matrix, draws=1) is None
        return
    rho = stats.spearmanr(similarity[i, j], flows).statistic
    assert mantel(similarity, matrix, draws=1).value == pytest.approx(rho)
    assert mantel(similarity, matrix.T, draws=1).value == pytest.approx(rho)


def test_p_is_that_of_all_relabellings():
    similarity, matrix = random_similarity(4, 4), random_matrix(5, 4)
    i, j = torch.triu_indices(4, 4, offset=1)
    flows = (matrix + matrix.T)[i, j]
    rhos = [
        stats.spearmanr(similarity[list(order)][:, list(order)][i, j], flows).statistic
        for order in permutations(range(4))
    ]
    exact = sum(rho >= rhos[0] - 1e-12 for rho in rhos) / 24
    assert 0.1 < exact < 0.9
    test = mantel(similarity, matrix, draws=5000)
    assert test.p == pytest.approx(exact, abs=0.03)
    assert test.null == pytest.approx(sum(rhos) / 24, abs=0.03)


def test_p_is_uniform_without_a_relation_and_small_with_one():
    unrelated = [
        mantel(random_similarity(seed, 6), random_matrix(seed + 10**6, 6), draws=99).p
        for seed in range(300)
    ]
    assert stats.kstest(unrelated, "uniform").pvalue > 0.01
    related = random_similarity(0, 8)
    test = mantel(related, related.exp(), draws=499)
    assert test.value == pytest.approx(1) and test.p == 1 / 500


def test_statistic_exists_only_where_something_varies():
    assert mantel(random_similarity(0, 2), random_matrix(0, 2)) is None
    assert mantel(random_similarity(0, 4), torch.full((4, 4), 0.25)) is None
    assert mantel(torch.ones(4, 4), random_matrix(0, 4)) is None
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0))).Q
    simplex = weight_similarity((torch.eye(5) - 1 / 5) @ turn)
    assert not (simplex - simplex[0, 1]).fill_diagonal_(0).eq(0).all()  # rounded differently
    assert mantel(simplex, random_matrix(0, 5)) is None


def test_draws_depend_on_the_seed_and_not_on_the_chunk(monkeypatch):
    similarity, matrix = random_similarity(0, 6), random_matrix(1, 6)
    whole = mantel(similarity, matrix, draws=50, seed=4)
    assert whole.null_draws == 50 and mantel(similarity, matrix, draws=50, seed=5) != whole
    monkeypatch.setattr(module, "CHUNK", 7 * 36)
    chunked = mantel(similarity, matrix, draws=50, seed=4)
    assert chunked.p == whole.p and chunked.null == pytest.approx(whole.null)
