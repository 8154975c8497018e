import pytest

from classward.core.errors import InputError
from classward.data.load import load_data
from classward.evaluation.baseline import against_baseline, read_baseline
from classward.evaluation.plan import plan


@pytest.fixture
def question(audits):
    """What the audits were asked."""
    return {
        "data": audits.data,
        "out": None,
        "eps": audits.eps,
        "norm": "linf",
        "attacks": plan(audits.eps, "linf"),
    }


def test_the_same_question_is_taken(audits, question):
    earlier = read_baseline(audits.good, **question)
    change = against_baseline(earlier, audits.bad)
    assert [run.name for run in change.runs] == [str(audits.good), str(audits.bad)]


def test_other_samples(audits, question):
    with pytest.raises(InputError, match="of other samples"):
        read_baseline(audits.good, **question | {"data": audits.data.take(100)})
    other = load_data("digits", split="train", samples=200)
    with pytest.raises(InputError, match="of other samples"):
        read_baseline(audits.good, **question | {"data": other})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"eps": 0.04}, "within linf 0.03, now linf 0.04"),
        ({"norm": "l2"}, "within linf 0.03, now l2 0.03"),
        ({"attacks": plan(0.04, "linf")}, "its fgsm differs"),
        ({"attacks": {}}, "its fgsm differs"),
        ({"precision": "fast"}, "led by --precision exact, now by fast"),
    ],
)
def test_another_question(audits, question, changed, said):
    with pytest.raises(InputError, match=said) as caught:
        read_baseline(audits.good, **question | changed)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_audit(audits, question):
    for run, said in ((audits.root / "none", "not a run"), (audits.good / "pgd", "'attack'")):
        with pytest.raises(InputError, match=said):
            read_baseline(run, **question)


def test_an_audit_does_not_go_over_its_own_baseline(audits, question, monkeypatch):
    monkeypatch.chdir(audits.root)
    with pytest.raises(InputError, match="choose another --out"):
        read_baseline("good", **question | {"out": audits.root / "bad" / ".." / "good"})
