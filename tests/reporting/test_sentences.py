import pytest

from classward.records.result import Share
from classward.reporting.sentences import (
    analysis_sentences,
    audit_sentences,
    correction_sentences,
    demo_sentences,
    pair_sentence,
    symmetry_sentence,
    training_sentences,
    transfer_sentences,
)


def changed(result, **fields):
    return type(result).from_dict(result.to_dict() | fields)


def test_an_audit_says_four_things(audit_of):
    audit = audit_of(verdict="sound")
    told = audit_sentences(audit)
    assert list(told) == [
        "How robust", "Can it be trusted", "Which class and pair suffer", "What next",
    ]  # fmt: skip
    assert told["How robust"].startswith(f"{100 * audit.robust_accuracy:.1f}% (")
    assert f"of {audit.samples} samples" in told["How robust"]
    assert told["Can it be trusted"] == "Sound: all 3 checks passed."


def test_the_gravest_failed_check_is_named(audit_of):
    told = audit_sentences(audit_of(verdict="unsound"))
    assert told["How robust"].startswith("Unsound: ")
    assert told["Can it be trusted"].startswith("Unsound: 2 of 3 checks failed, first “finite")
    assert "Do not quote" in told["What next"]
    assert "steps help" in audit_sentences(audit_of(verdict="suspect"))["What next"]


def test_the_weakest_class_is_the_weakest(audit_of):
    audit = audit_of()
    weakest = min(audit.per_class, key=lambda entry: entry.robust)
    told = audit_sentences(audit)["Which class and pair suffer"]
    assert told.startswith(f"{weakest.name} is the weakest class, {100 * weakest.robust:.1f}%")


def test_classes_that_are_all_alike_have_no_weakest(audit_of):
    audit = audit_of()
    alike = [entry.to_dict() | {"robust": 0.0} for entry in audit.per_class]
    told = audit_sentences(changed(audit, per_class=alike))["Which class and pair suffer"]
    assert told.startswith("All classes are equally robust (0.0%).")


def test_what_next_depends_on_what_was_found(audit_of):
    audit = audit_of()
    assert "train with a defense" in audit_sentences(audit)["What next"]
    robust = changed(audit, robust_accuracy=0.8)
    assert "--baseline" in audit_sentences(robust)["What next"]


def test_a_single_class_with_samples(audit_of):
    told = audit_sentences(audit_of(classes=2, empty=(1,)))
    assert "Fewer than two classes" in told["Which class and pair suffer"]


def test_no_pairs_is_said(analysis_of):
    none = changed(analysis_of(), maximum_symmetry_pairs=[])
    assert pair_sentence(none) == "No two classes are each other's top target within 0.2."


def test_the_heaviest_pair_is_named(analysis_of):
    analysis = analysis_of()
    m = analysis.attack_matrix
    i, j = max(analysis.maximum_symmetry_pairs, key=lambda pair: m[pair[0]][pair[1]])
    others = len(analysis.maximum_symmetry_pairs) - 1
    told = pair_sentence(analysis)
    assert told.startswith(f"class {i} and class {j} are each other's top target")
    assert f"{others} more such pair" in told


@pytest.mark.parametrize(
    ("p", "said"), [(0.2, "No more symmetric than chance"), (0.001, "at every tolerance")]
)
def test_symmetry_is_compared_with_chance(analysis_of, p, said):
    assert said in symmetry_sentence(analysis_of(p=p))


def test_less_symmetric_than_chance_is_not_more(analysis_of):
    table = analysis_of(p=0.001).to_dict()
    for entry in table["symmetry"].values():
        entry["value"] = entry["null"] / 2
    told = symmetry_sentence(type(analysis_of()).from_dict(table))
    assert told.startswith("No more symmetric than chance")


def test_symmetry_of_one_class_is_undefined(analysis_of):
    assert "undefined" in symmetry_sentence(changed(analysis_of(), symmetry={}))


def test_an_analysis_is_unjudged(analysis_of):
    assert analysis_sentences(analysis_of())["How robust"].startswith("Unjudged")


@pytest.mark.parametrize(("adaptive", "said"), [(4, "no defense"), (300, "more than without")])
def test_a_corrector_is_judged_by_the_attacker_who_knows_it(correction_of, adaptive, said):
    assert said in correction_sentences(correction_of(adaptive))["Does it help"]


def test_training_is_sorted_by_what_the_interval_shows(training_of):
    higher, same = training_sentences(training_of())["Does it help"].split("; ")
    assert "higher under fgsm" in higher and "pgd" in higher
    assert same.startswith("not shown to differ under clean") and "worst case" in same


def test_training_that_was_not_compared(training_of):
    assert (
        "not compared"
        in training_sentences(changed(training_of(), difference={}))["Does it help"]
    )
    nothing = changed(training_of(), defenses=[], difference={})
    assert training_sentences(nothing)["Does it help"] == "No defense was trained."


def test_transfer_names_its_extremes(transfer_of):
    table = transfer_of()
    values = [entry.value for row in table.accuracy[:4] for entry in row]
    told = transfer_sentences(table)["Does it transfer"]
    assert f"{100 * min(values):.1f}%" in told and f"{100 * max(values):.1f}%" in told
    none = Share(count=0, total=0, value=None, low=None, high=None).to_dict()
    empty = changed(table, accuracy=[[none] * 5] * 5)
    assert "nothing can be said" in transfer_sentences(empty)["Does it transfer"]


def test_a_demo_says_whether_correction_and_training_help(demo_of):
    told = demo_sentences(demo_of())
    assert list(told)[-3:] == ["Does correction help", "Does training help", "What next"]
    assert "no defense" in told["Does correction help"]
