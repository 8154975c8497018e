from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.analysis.class_metrics import (
    best_class,
    class_accuracy,
    class_cv,
    class_gap,
    class_std,
    concentration,
    in_flow,
    out_flow,
    per_class,
    top_targets,
    worst_class,
)
from classward.records.record import Record

NAN = float("nan")


def test_spread_of_a_known_matrix(matrix4):
    robust = matrix4.diagonal()
    assert (worst_class(robust), best_class(robust)) == (2, 3)
    assert class_gap(robust) == pytest.approx(0.3)
    assert class_std(robust) == pytest.approx(0.111803, abs=1e-6)
    assert class_cv(robust) == pytest.approx(0.248452, abs=1e-6)


def test_flows_of_a_known_matrix(matrix4):
    arriving, leaving = in_flow(matrix4), out_flow(matrix4)
    assert arriving.tolist() == pytest.approx([0.35, 0.78, 0.70, 0.37])
    assert leaving.tolist() == pytest.approx([0.60, 0.50, 0.70, 0.40])
    assert (arriving - leaving).tolist() == pytest.approx([-0.25, 0.28, 0, -0.03])


def test_concentration_of_a_known_matrix(matrix4):
    entropies = [0.920620, 0.874873, 0.755928, 0.419526]
    assert (1 - concentration(matrix4)).tolist() == pytest.approx(entropies, abs=1e-6)


def test_top_targets_of_a_known_matrix(matrix4):
    shares, targets = top_targets(matrix4)
    assert shares.tolist() == [0.30, 0.28, 0.45, 0.35] and targets.tolist() == [1, 0, 1, 2]


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(3, 9))
def test_measures_are_their_definitions_written_as_loops(seed, k):
    matrix = torch.rand(k, k, generator=torch.Generator().manual_seed(seed)).double()
    matrix /= matrix.sum(dim=1, keepdim=True)
    shares, targets = top_targets(matrix)
    for i in range(k):
        row = {j: matrix[i, j].item() for j in range(k) if j != i}
        leavers = sum(row.values())
        entropy = -sum(m / leavers * log(m / leavers) for m in row.values())
        assert concentration(matrix)[i].item() == pytest.approx(1 - entropy / log(k - 1))
        assert out_flow(matrix)[i].item() == pytest.approx(leavers)
        arriving = sum(matrix[j, i].item() for j in range(k) if j != i)
        assert in_flow(matrix)[i].item() == pytest.approx(arriving)
        assert (targets[i], shares[i]) == max(row.items(), key=lambda entry: entry[1])


def test_concentration_is_one_for_one_target_and_zero_for_all_alike():
    matrix = torch.tensor([[0.0, 1.0, 0.0], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
    assert concentration(matrix)[:2].tolist() == pytest.approx([1, 0], abs=1e-6)
    assert concentration(matrix)[2].isnan()
    assert concentration(torch.tensor([[0.5, 0.5], [0.1, 0.9]])).isnan().all()


def test_undefined_classes_are_left_out():
    accuracy = torch.tensor([NAN, 0.2, 0.6, 0.2, 0.6, NAN])
    assert (worst_class(accuracy), best_class(accuracy)) == (1, 2)
    assert class_gap(accuracy) == pytest.approx(0.4)
    assert (class_std(accuracy), class_cv(accuracy)) == pytest.approx((0.2, 0.5))
    matrix = torch.tensor([[0.5, 0.2, 0.3], [NAN, NAN, NAN], [0.1, 0.3, 0.6]])
    assert in_flow(matrix).tolist() == pytest.approx([0.1, 0.5, 0.3])
    assert out_flow(matrix).isnan().tolist() == [False, True, False]
    only_first = torch.tensor([[0.5, 0.5], [NAN, NAN]])
    assert in_flow(only_first).isnan().tolist() == [True, False]


def test_no_relative_spread_where_nothing_is_right():
    assert class_cv(torch.zeros(3)) is None and class_std(torch.zeros(3)) == 0


def test_accuracy_of_each_class():
    right = torch.tensor([True, False, True, True])
    accuracy = class_accuracy(torch.tensor([0, 0, 2, 0]), right, 3)
    assert accuracy[[0, 2]].tolist() == pytest.approx([2 / 3, 1]) and accuracy[1].isnan()


def test_classes_of_a_record():
    to_logits = torch.nn.functional.one_hot
    labels, clean = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 0, 1, 1, 0])
    attacked = torch.tensor([0, 1, 1, 0, 1, 1])
    record = Record.from_arrays(
        labels=labels,
        clean_logits=to_logits(clean, 3),
        adversarial_logits=to_logits(attacked, 3),
        class_names=["cat", "dog", "owl"],
    )
    cat, dog, owl = per_class(record)
    assert (cat.samples, cat.clean.value, cat.robust.value) == (4, 0.75, 0.25)
    assert (cat.boundary_error, cat.out_flow, cat.in_flow, cat.net_flow) == (0.5, 0.5, 0, -0.5)
    assert (cat.top_target, cat.top_share, cat.concentration) == ("dog", 0.5, 1)
    assert (dog.robust.count, dog.boundary_error, dog.out_flow) == (1, 0, 0)
    assert (dog.top_target, dog.top_share, dog.concentration) == (None, None, None)
    assert (owl.samples, owl.in_flow, owl.clean.value) == (0, 0, None)
    assert owl.boundary_error is owl.out_flow is owl.net_flow is owl.top_target is None
