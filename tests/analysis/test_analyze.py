import json

import pytest
import torch

from classward.analysis import analyze as module
from classward.analysis.analyze import analyze
from classward.analysis.attack_matrix import attack_matrix
from classward.analysis.symmetry import (
    literal_pairs,
    maximum_symmetry_pairs,
    pair_correlation,
    symmetry_ratio,
)
from classward.records.analysis_result import Analysis
from classward.records.saved import dump, load

NAMES = ["ship", "plane", "car", "truck"]
PERFECTLY_SYMMETRIC = [[5, 4, 1], [4, 4, 2], [1, 2, 7]]


def random_counts(seed, classes, largest=30):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, largest, (classes, classes), generator=generator)


def random_weights(seed, classes):
    return torch.randn(classes, 5, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def example(matrix4, record_of):
    counts = (1000 * matrix4).round().long()
    return record_of(counts, NAMES, {"attack": "PGD(steps=20)"})


def test_measures_of_a_known_matrix(example, matrix4):
    found = analyze(example)
    assert found.classes == NAMES and found.attack == "PGD(steps=20)"
    assert found.samples == 4000 and found.undefined_classes == []
    torch.testing.assert_close(torch.tensor(found.attack_matrix).double(), matrix4)
    assert [found.symmetry_ratio(t) for t in (0.05, 0.1, 0.2)] == pytest.approx(
        [1 / 3, 1 / 2, 5 / 6]
    )
    assert found.correlation.value == pytest.approx(0.321237, abs=1e-6)
    assert found.rank_correlation.value == pytest.approx(0.371930, abs=1e-6)
    assert found.symmetry_index == pytest.approx(0.636588, abs=1e-6)
    assert found.bowker.value == pytest.approx(350.932, abs=5e-4)
    assert found.maximum_symmetry_pairs == [(0, 1)]
    assert found.literal_pairs == [(0, 1), (2, 3)]
    assert (found.worst_class, found.best_class) == ("car", "truck")
    assert (found.class_gap, found.class_std) == pytest.approx((0.3, 0.111803), abs=1e-6)
    assert found.class_cv == pytest.approx(0.248452, abs=1e-6)
    assert found.success_rate.value == found.success_rate_over_correct.value == 0.55


def test_every_sample_is_counted_once(record_of):
    counts = random_counts(0, 6)
    found = analyze(record_of(counts), permutations=9)
    assert torch.equal(torch.tensor(found.counts), counts)
    assert [c.samples for c in found.per_class] == counts.sum(dim=1).tolist()
    assert found.samples == counts.sum()


def test_success_over_correct_leaves_out_what_was_wrong_before(example):
    example.clean_predictions[:1000] = 1  # all of class 0
    found = analyze(example, permutations=9)
    assert found.success_rate.total == 4000 and found.success_rate_over_correct.total == 3000
    assert found.success_rate_over_correct.count == 500 + 700 + 400


def test_a_class_without_samples_changes_no_statistic(record_of):
    counts, weights = random_counts(1, 5), random_weights(1, 5)
    kept = torch.tensor([0, 1, 3, 4, 5])
    wider = torch.zeros(6, 6, dtype=torch.int64)
    wider[kept[:, None], kept] = counts
    wider_weights = torch.ones(6, 5).index_copy(0, kept, weights)
    few = analyze(record_of(counts), weights=weights, tolerance=1.0, permutations=99)
    many = analyze(record_of(wider), weights=wider_weights, tolerance=1.0, permutations=99)
    assert many.undefined_classes == ["2"] and many.attack_matrix[2] == [None] * 6
    assert few.significance.keys() == many.significance.keys()
    for name in ("symmetry", "correlation", "rank_correlation", "mantel", "bowker"):
        assert getattr(many, name) == getattr(few, name), name
    for name in ("symmetry_index", "class_gap", "class_std", "class_cv", "success_rate"):
        assert getattr(many, name) == getattr(few, name), name
    for name in ("maximum_symmetry_pairs", "literal_pairs"):
        pairs = [(kept[i].item(), kept[j].item()) for i, j in getattr(few, name)]
        assert getattr(many, name) == pairs and pairs


def test_a_class_whose_top_target_has_no_samples_is_in_no_maximum_pair(record_of):
    found = analyze(record_of([[2, 3, 5], [4, 6, 0], [0, 0, 0]]), permutations=9)
    assert found.maximum_symmetry_pairs == [] and found.per_class[0].top_target == "2"
    assert found.literal_pairs == [(0, 1)]  # 0 is top target and top source of 1


def test_relabelling_the_classes_relabels_the_result(record_of):
    counts, weights = random_counts(2, 7, largest=1000), random_weights(2, 7)
    order = torch.tensor([3, 0, 6, 2, 1, 5, 4])
    place = order.argsort()
    first = analyze(record_of(counts), weights=weights, tolerance=1.0, permutations=9)
    names = [str(i) for i in order.tolist()]
    second = analyze(
        record_of(counts[order][:, order], names),
        weights=weights[order],
        tolerance=1.0,
        permutations=9,
    )
    assert first.symmetry_ratio(0.1) == pytest.approx(second.symmetry_ratio(0.1))
    for name in ("correlation", "rank_correlation", "mantel", "bowker"):
        value = getattr(first, name).value
        assert getattr(second, name).value == pytest.approx(value), name
    for name in ("maximum_symmetry_pairs", "literal_pairs"):
        moved = {frozenset(place[list(pair)].tolist()) for pair in getattr(first, name)}
        assert {frozenset(pair) for pair in getattr(second, name)} == moved
    by_name = {c.name: c for c in first.per_class}
    for after in second.per_class:
        assert after.robust == by_name[after.name].robust
        assert after.in_flow == pytest.approx(by_name[after.name].in_flow)
        assert after.top_target == by_name[after.name].top_target
    assert (first.worst_class, first.best_class) == (second.worst_class, second.best_class)


def test_pairs_and_ratios_are_those_of_the_matrix(record_of):
    record = record_of(random_counts(8, 8))
    matrix = attack_matrix(record.labels, record.predictions, 8)
    found = analyze(record, tolerance=0.02, tolerances=[0.03, 0.3], permutations=9)
    assert found.maximum_symmetry_pairs == found.literal_pairs == [] and found.tolerance == 0.02
    assert maximum_symmetry_pairs(matrix) == literal_pairs(matrix) == [(2, 6), (3, 4)]
    assert found.symmetry_ratio(0.03) == pytest.approx(symmetry_ratio(matrix, 0.03))
    assert found.correlation.value == pytest.approx(pair_correlation(matrix))
    with pytest.raises(ValueError, match=r"no ratio at tolerance 0.2; analysed: 0.03, 0.3"):
        found.symmetry_ratio(0.2)


def test_a_symmetric_matrix_is_more_than_chance(record_of):
    upper = random_counts(4, 8, largest=200).triu(1)
    counts = upper + upper.T
    counts += torch.diag(2000 - counts.sum(dim=1))  # classes of one size
    found = analyze(record_of(counts), permutations=199)
    assert found.correlation.value == pytest.approx(1) and found.symmetry_index == 1
    assert found.correlation.p == found.rank_correlation.p == 1 / 200
    assert found.symmetry["0.05"].p == 1 / 200 and found.bowker.p == 1


def test_same_seed_same_result_and_no_global_generator(example):
    weights, state = random_weights(5, 4), torch.random.get_rng_state()
    found = analyze(example, weights=weights, permutations=99, seed=7)
    assert analyze(example, weights=weights, permutations=99, seed=7) == found
    other = analyze(example, weights=weights, permutations=99, seed=8)
    assert other.correlation.null != found.correlation.null
    assert other.mantel.null != found.mantel.null and other.seed == 8
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ([[3]], {"correlation", "rank_correlation", "mantel", "bowker", "symmetry_index"}),
        ([[3, 1], [2, 4]], {"correlation", "rank_correlation", "mantel"}),
        ([[3, 1, 1], [0, 0, 0], [2, 2, 4]], {"correlation", "rank_correlation", "mantel"}),
        ([[0, 0, 0], [0, 5, 1], [0, 0, 0]], {"correlation", "mantel", "bowker"}),
        ([[4, 1, 1], [1, 4, 1], [1, 1, 4]], {"correlation", "rank_correlation", "mantel"}),
        ([[4, 0, 0], [0, 4, 0], [0, 0, 4]], {"correlation", "bowker", "symmetry_index"}),
        (PERFECTLY_SYMMETRIC, set()),
    ],
)
def test_what_does_not_exist_is_null_and_never_nan(record_of, counts, missing):
    found = analyze(record_of(counts), weights=random_weights(6, len(counts)), permutations=9)
    names = ["correlation", "rank_correlation", "mantel", "bowker", "symmetry_index"]
    absent = {name for name in names if getattr(found, name) is None}
    assert missing <= absent and bool(missing) == bool(absent)
    assert len(found.symmetry) == (3 if sum(map(any, counts)) > 1 else 0)
    json.dumps(found.to_dict(), allow_nan=False)
    assert Analysis.from_dict(found.to_dict()) == found
    assert load(dump(found), "memory") == found


def test_no_ratio_of_a_single_class(record_of):
    with pytest.raises(ValueError, match="it takes two classes with samples"):
        analyze(record_of([[3]]), permutations=9).symmetry_ratio(0.1)


def test_where_the_weights_came_from(example):
    weights = random_weights(7, 4)
    asked = analyze(example, weights=weights, weights_reason="last layer", permutations=9)
    assert asked.weights_reason == "last layer" and asked.weight_similarity[2][2] == 1
    assert analyze(example, weights=weights, permutations=9).weights_reason == "given"
    for reason in (None, "a model of three heads"):
        found = analyze(example, weights_reason=reason, permutations=9)
        assert found.weight_similarity is None and found.mantel is None
        assert found.weights_reason == (reason or "not asked")
    weights[1] = 0
    found = analyze(example, weights=weights, weights_reason="last layer", permutations=9)
    assert found.weight_similarity is None and found.mantel is None
    assert found.weights_reason == "weights of class 1 are all zero or not finite"


def test_many_classes_take_fewer_draws_and_say_so(record_of, monkeypatch):
    record = record_of(random_counts(8, 10))
    assert analyze(record, permutations=300).correlation.null_draws == 300
    monkeypatch.setattr(module, "SHUFFLED_ENTRIES", 20_000)
    assert analyze(record, permutations=300).correlation.null_draws == 200
    monkeypatch.setattr(module, "SHUFFLED_ENTRIES", 200)
    assert analyze(record, permutations=300).symmetry["0.1"].null_draws == 99


@pytest.mark.slow
def test_a_thousand_classes(record_of):
    counts = torch.eye(1000).long() * 3
    counts.scatter_add_(1, (torch.arange(1000) ^ 1)[:, None], torch.full((1000, 1), 2))
    found = analyze(record_of(counts), weights=random_weights(9, 1000))
    assert found.maximum_symmetry_pairs == [(i, i + 1) for i in range(0, 1000, 2)]
    assert found.correlation.null_draws == 200 and found.correlation.p == 1 / 201


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tolerance": 0.0}, r"a tolerance must be in \(0, 1\], got 0.0"),
        ({"tolerances": [0.1, 2.0]}, r"got 2.0"),
        ({"permutations": 0}, "permutations must be at least 1, got 0"),
        ({"weights": torch.ones(3, 2)}, "3 class weights for 4 classes"),
    ],
)
def test_what_cannot_be_is_refused(example, asked, said):
    with pytest.raises(ValueError, match=said):
        analyze(example, **asked)
