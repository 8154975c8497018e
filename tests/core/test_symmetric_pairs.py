import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.core.symmetric_pairs import maximum_symmetry_pairs, symmetric_pairs


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 8), tolerance=st.floats(0.01, 1))
def test_is_the_definition_written_as_loops(seed, k, tolerance):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(k, k, generator=generator, dtype=torch.float64)
    matrix /= matrix.sum(dim=1, keepdim=True)
    others = {i: [j for j in range(k) if j != i] for i in range(k)}
    top = {i: max(others[i], key=lambda j: matrix[i, j].item()) for i in range(k)}
    alike = [
        (i, j)
        for i in range(k)
        for j in range(i + 1, k)
        if abs(matrix[i, j].item() - matrix[j, i].item()) < tolerance
    ]
    assert symmetric_pairs(matrix, tolerance).nonzero().tolist() == [[*p] for p in alike]
    mutual = [(i, j) for i, j in alike if top[i] == j and top[j] == i]
    assert maximum_symmetry_pairs(matrix, tolerance) == mutual


def test_mutual_targets_are_not_the_literal_ones():
    rows = [[0.4, 0.3, 0.2, 0.1], [0.28, 0.5, 0.15, 0.07], [0.05, 0.45, 0.3, 0.2]]
    matrix = torch.tensor([*rows, [0.02, 0.03, 0.35, 0.6]])
    assert maximum_symmetry_pairs(matrix) == [(0, 1)]


def test_classes_that_send_nothing_are_in_no_pair():
    assert maximum_symmetry_pairs(torch.eye(4)) == []
