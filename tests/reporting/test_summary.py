import pytest

from classward.core.errors import InputError
from classward.records.result import Share
from classward.reporting.summary import text_summary


def test_every_summary_is_short(every_result):
    for result in every_result.values():
        lines = text_summary(result).splitlines()
        assert len(lines) <= 30 and max(map(len, lines)) <= 100


@pytest.mark.parametrize("verdict", ["sound", "suspect", "unsound"])
def test_the_four_sentences_come_first_even_of_long_names(audit_of, verdict):
    names = [f"{'long ' * 40}{i}" for i in range(10)]
    lines = text_summary(audit_of(verdict=verdict, names=names)).splitlines()[:12]
    labels = ["How robust:", "Can it be trusted:", "Which class and pair suffer:", "What next:"]
    assert [
        line.split(":")[0] + ":" for line in lines if line.startswith(tuple(labels))
    ] == labels
    assert "…" in "".join(lines)


def test_no_control_character_reaches_the_terminal(audit_of):
    text = text_summary(audit_of(names=["\x1b[2Jcat\n", "\u202edog"], name="a\x07b"))
    assert all(line.isprintable() for line in text.splitlines())


def test_many_classes_and_attacks_are_cut_and_it_is_said(audit_of):
    audit = audit_of(classes=100)
    table = audit.to_dict() | {"attacks": {f"attack_{i}": 0.5 for i in range(40)}}
    lines = text_summary(type(audit).from_dict(table)).splitlines()
    assert len(lines) <= 30 and "… 35 more" in lines


def test_the_worst_case_carries_its_verdict(audit_of):
    text = text_summary(audit_of(verdict="unsound"))
    (worst,) = [line for line in text.splitlines() if line.startswith("worst case")]
    assert worst.endswith("unsound") and "(" in worst


def test_columns_are_aligned(training_of):
    table = text_summary(training_of()).split("\n\n")[1].splitlines()
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["defense", "clean", "fgsm", "pgd", "worst", "case"]


def test_a_class_without_samples_is_named(analysis_of):
    assert "without samples: class 3" in text_summary(analysis_of(empty=(3,)))


def test_other_results_are_refused():
    with pytest.raises(InputError, match="Share"):
        text_summary(Share(count=0, total=0, value=None, low=None, high=None))
