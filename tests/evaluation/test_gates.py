import pytest

from classward.core.errors import InputError
from classward.evaluation.compare import compare
from classward.evaluation.gates import baseline_gate, flow_gate, gap_gate, gates


def changed(result, **fields):
    return type(result).from_dict(result.to_dict() | fields)


def test_no_gate_unless_asked(audits):
    assert gates(audits.results.good) == []


def test_gates_come_in_their_order(audits):
    baseline = compare(audits.good, audits.good)
    limits = {"min_robust_accuracy": 0.0, "max_class_gap": 1.0, "max_pair_flow": 1.0}
    judged = gates(audits.results.good, **limits, baseline=baseline)
    assert [gate.name for gate in judged] == [*limits, "baseline"]
    assert all(gate.passed for gate in judged)


def test_the_least_robust_accuracy_is_itself_allowed(audits):
    audit = audits.results.good
    (exact,) = gates(audit, min_robust_accuracy=audit.robust_accuracy)
    (above,) = gates(audit, min_robust_accuracy=audit.robust_accuracy + 1e-6)
    assert exact.passed and not above.passed
    assert above.evidence.startswith(f"robust accuracy {audit.robust_accuracy:.4f} is below")


def test_the_class_gap_is_best_minus_worst(audits):
    shares = [entry.robust for entry in audits.results.good.per_class]
    gap = max(shares) - min(shares)
    assert gap_gate(audits.results.good, gap).passed
    failed = gap_gate(audits.results.good, gap - 1e-6)
    assert not failed.passed and f"class gap {gap:.4f} (class " in failed.evidence


def test_a_rounding_error_fails_no_gate(audits):
    rows = [entry.to_dict() for entry in audits.results.good.per_class[:2]]
    two = changed(
        audits.results.good,
        per_class=[rows[0] | {"robust": 0.9}, rows[1] | {"robust": 0.6}],
    )
    assert 0.9 - 0.6 > 0.3 and gap_gate(two, 0.3).passed


def test_classes_without_samples_do_not_count(audits):
    rows = [entry.to_dict() for entry in audits.results.good.per_class]
    rows[3] |= {"robust": None}
    shares = [row["robust"] for row in rows if row["robust"] is not None]
    part = changed(audits.results.good, per_class=rows)
    assert f"{max(shares) - min(shares):.4f}" in gap_gate(part, 1.0).evidence


def test_the_largest_flow_is_off_the_diagonal(audits):
    audit = changed(
        audits.results.good,
        attack_matrix=[[0.9, 0.1, 0.0], [0.2, 0.4, 0.4], [None, None, None]],
        classes=["cat", "dog", "owl"],
    )
    assert flow_gate(audit, 0.4).passed
    failed = flow_gate(audit, 0.39)
    assert not failed.passed
    assert failed.evidence == "largest flow 0.4000, dog to owl, is above 0.39"


def test_a_clearly_worse_model_fails_the_baseline(audits):
    gate = baseline_gate(compare(audits.good, audits.bad))
    good, bad = audits.results.good, audits.results.bad
    assert not gate.passed
    assert (
        f"{bad.robust_accuracy:.4f} is worse than {good.robust_accuracy:.4f}" in gate.evidence
    )
    assert "; classes worse (Holm): class " in gate.evidence


def test_the_same_and_a_better_model_pass_the_baseline(audits):
    same = baseline_gate(compare(audits.good, audits.good))
    assert same.passed and "(0 samples lost, 0 gained, p = 1)" in same.evidence
    assert baseline_gate(compare(audits.bad, audits.good)).passed


def test_every_line_is_one_line_whatever_classes_are_called(audits):
    names = ["two\nlines", "\x1b[31m", *["long " * 100] * 8]
    rows = [
        entry.to_dict() | {"name": name}
        for entry, name in zip(audits.results.bad.per_class, names, strict=True)
    ]
    audit = changed(audits.results.bad, per_class=rows, classes=names)
    for gate in gates(audit, max_class_gap=0.0, max_pair_flow=0.0):
        assert not gate.passed
        assert gate.evidence.isprintable() and len(gate.evidence) < 200


@pytest.mark.parametrize("limit", [-0.1, 1.5, float("nan"), 92.0])
@pytest.mark.parametrize("name", ["min_robust_accuracy", "max_class_gap", "max_pair_flow"])
def test_a_limit_is_a_share(audits, name, limit):
    with pytest.raises(InputError, match=f"{name} .* is no share"):
        gates(audits.results.good, **{name: limit})
