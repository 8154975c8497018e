import json

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from classward.analysis.analyze import analyze
from classward.core.errors import InputError
from classward.evaluation.compare import compare
from classward.records.record import Record

CLASSES = 5


def make_record(seed, *, labels=None, **settings):
    """200 samples whose predictions after the attack are drawn, wrong in half of them."""
    rng = np.random.default_rng(seed)
    truth = np.arange(200) % CLASSES if labels is None else np.asarray(labels)
    attacked = np.where(
        rng.random(len(truth)) < 0.5, truth, rng.integers(0, CLASSES, len(truth))
    )
    clean = np.where(rng.random(len(truth)) < 0.9, truth, rng.integers(0, CLASSES, len(truth)))
    return Record.from_arrays(
        labels=truth,
        clean_logits=one_hot(torch.as_tensor(clean), CLASSES),
        adversarial_logits=one_hot(torch.as_tensor(attacked), CLASSES),
        class_names=["cat", "dog", "owl", "elk", "ant"],
        settings={"attack": "PGD()", "attack_name": "pgd", **settings},
    )


@pytest.fixture(scope="module")
def pair():
    return make_record(1), make_record(2)


def test_every_share_is_that_of_the_records(pair):
    a, b = pair
    (change,) = compare(a, b).differences
    assert change.worst_case.reference == pytest.approx(a.robust_accuracy)
    assert change.worst_case.other == pytest.approx(b.robust_accuracy)
    assert change.clean.difference == pytest.approx(b.clean_accuracy - a.clean_accuracy)
    assert change.attacks["pgd"] == change.worst_case
    assert change.worst_case.lost == sum(
        bool(x) and not bool(y) for x, y in zip(a.robust, b.robust, strict=True)
    )


def test_every_class_is_counted_by_itself(pair):
    a, b = pair
    (change,) = compare(a, b).differences
    assert [entry.name for entry in change.per_class] == a.class_names
    for index, entry in enumerate(change.per_class):
        own = a.labels == index
        assert entry.robust.reference == pytest.approx(a.robust[own].double().mean().item())
        assert entry.clean.other == pytest.approx(b.correct[own].double().mean().item())
        assert entry.robust.gained == int((b.robust & ~a.robust)[own].sum())
        assert entry.robust.adjusted_p >= entry.robust.p


def test_flows_are_the_largest_changes_of_the_matrix(pair):
    a, b = pair
    (change,) = compare(a, b).differences
    matrix = (b.attack_matrix() - a.attack_matrix()).numpy()
    assert np.allclose(np.array(change.matrix, dtype=float), matrix)
    off = {
        (a.class_names[i], a.class_names[j]): matrix[i, j]
        for i in range(CLASSES)
        for j in range(CLASSES)
        if i != j
    }
    ranked = sorted(off.values(), key=abs, reverse=True)[:10]
    assert [abs(f.share.difference) for f in change.flows] == pytest.approx(np.abs(ranked))
    for flow in change.flows:
        i, j = a.class_names.index(flow.source), a.class_names.index(flow.target)
        own = a.labels == i
        before, after = (record.predictions[own] == j for record in (a, b))
        assert flow.share.difference == pytest.approx(off[flow.source, flow.target])
        assert flow.share.lost == int((before & ~after).sum())
        assert flow.share.gained == int((after & ~before).sum())


def test_the_other_way_round_the_signs_turn(pair):
    a, b = pair
    (forth,), (back,) = compare(a, b).differences, compare(b, a).differences
    for name, share in forth.columns().items():
        turned = back.columns()[name]
        assert (turned.lost, turned.gained, turned.p) == (share.gained, share.lost, share.p)
        assert (turned.low, turned.high) == pytest.approx((-share.high, -share.low))
    assert (back.pairs_gained, back.pairs_lost) == (forth.pairs_lost, forth.pairs_gained)


def test_a_run_against_itself_does_not_differ(pair):
    (change,) = compare(pair[0], pair[0]).differences
    assert change.flows == [] and change.pairs_gained == change.pairs_lost == []
    shares = [*change.columns().values(), *(entry.robust for entry in change.per_class)]
    assert all((s.lost, s.gained, s.p, s.significant) == (0, 0, 1.0, False) for s in shares)


def test_pairs_are_those_of_an_analysis(pair):
    made = compare(*pair, tolerance=0.1)
    found = [set(analyze(r, tolerance=0.1).maximum_symmetry_pairs) for r in pair]
    assert [set(run.maximum_symmetry_pairs) for run in made.runs] == found
    (change,) = made.differences
    assert set(change.pairs_gained) == found[1] - found[0]
    assert set(change.pairs_lost) == found[0] - found[1]


def test_the_first_is_the_reference_of_all(pair):
    a, b = pair
    made = compare(a, b, make_record(3), a)
    assert len(made.runs) == 4 and len(made.differences) == 3
    assert all(c.worst_case.reference == made.differences[0].worst_case.reference
               for c in made.differences)  # fmt: skip
    assert made.differences[2].worst_case.difference == 0
    assert json.loads(json.dumps(made.to_dict(), allow_nan=False))["samples"] == 200


def test_a_class_without_samples_is_undefined():
    labels = np.arange(200) % (CLASSES - 1)
    made = compare(make_record(1, labels=labels), make_record(2, labels=labels))
    (change,) = made.differences
    assert change.matrix[CLASSES - 1] == [None] * CLASSES
    assert change.per_class[-1].robust.difference is None
    assert all(flow.source != "ant" for flow in change.flows)


def test_bare_records_are_unjudged(pair):
    assert {run.verdict for run in compare(*pair).runs} == {"unjudged"}


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((), "two runs or more, got 0"),
        ((make_record(1),), "got 1"),
        ((make_record(1), make_record(1, labels=[0, 1, 2, 3, 4] * 3)), "other samples"),
        ((make_record(1), make_record(1, labels=(np.arange(200) + 1) % CLASSES)), "other sam"),
        ((make_record(1, data_digest="x"), make_record(1, data_digest="y")), "other samples"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(runs, said):
    with pytest.raises(InputError, match=said) as caught:
        compare(*runs)
    assert "\n" not in str(caught.value)


def test_other_classes_are_refused(pair):
    other = Record.from_arrays(
        labels=pair[0].labels,
        clean_logits=pair[0].clean_logits,
        adversarial_logits=pair[0].adversarial_logits,
    )
    with pytest.raises(InputError, match="other classes"):
        compare(pair[0], other)


@pytest.mark.parametrize("tolerance", [0.0, 1.5])
def test_a_tolerance_is_a_share(pair, tolerance):
    with pytest.raises(InputError, match="tolerance"):
        compare(*pair, tolerance=tolerance)
