"""One image under several attacks, by correctors that are made by hand."""

import dataclasses

import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.evaluation.explain import explain
from classward.evaluation.explain_instance import explain_instance
from classward.records.record import Record
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.summary import text_summary

K = 6
LABELS = torch.arange(12) % K
CLEAN = 10.0 * torch.eye(K)[LABELS]


def record(shift=1, labels=LABELS):
    attacked = CLEAN.roll(shift, dims=1) + 0.6 * CLEAN
    return Record.from_arrays(labels=labels, clean_logits=CLEAN, adversarial_logits=attacked)


def listening(weight, hidden=None):
    made = Corrector.small(layers=1 if hidden is None else 2, hidden=hidden, epochs=1)
    made.fit_records([record()])
    if hidden is None:
        made.network_.output.weight.copy_(weight)
        made.network_.output.bias.zero_()
    return made


def test_worked_example():
    """Row 2 of the weights beyond the mean row, in order of size."""
    weight = torch.zeros(K, K)
    weight[2] = torch.tensor([0.0, 3, 1, -6, 0, 12])
    found = explain_instance(listening(weight), {"next": record()}, sample=8)
    assert (found.sample, found.label) == (8, "2")
    (entry,) = found.attacks
    assert (entry.said, entry.corrected) == ("3", "0")  # W z is 0 but in row 2, where below
    assert [pull.name for pull in entry.pulls] == ["5", "1", "2", "0", "4", "3"]
    values = [pull.value for pull in entry.pulls]
    assert values == pytest.approx([10, 2.5, 5 / 6, 0, 0, -5])
    assert found.compared == K // 2 and found.overlap == [[1.0]]


def test_overlap_of_the_attacks():
    """Hidden neurons are on or off by the attack: the top sets differ."""
    made, records = listening(None, hidden=40), {"a": record(1), "b": record(3)}
    found = explain_instance(made, records, sample=4)
    tops = [{pull.name for pull in entry.pulls[:3]} for entry in found.attacks]
    shared = len(tops[0] & tops[1]) / len(tops[0] | tops[1])
    assert found.overlap == [[1.0, shared], [shared, 1.0]]
    assert [row["attack"] for row in found.rows()] == ["a"] * K + ["b"] * K


def test_shown_with_the_explanation(tmp_path):
    made, records = listening(torch.eye(K)), {"a": record(1), "b <i>": record(2)}
    told = explain(made, records)
    both = dataclasses.replace(told, instance=explain_instance(made, records, sample=3))
    assert load(dump(both), "result.json") == both
    page, plain = render(both), render(told)
    assert "Image 3, of class 3" in page and "Image 3" not in plain
    assert (
        "the attacked class" in page
        and "b &lt;i&gt;" in page
        and "<i>" not in page.split("<body")[1]
    )
    assert "Image 3: It is of class 3" in text_summary(both)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({}, "at least one attack record"),
        ({"a": record(), "b": record(labels=LABELS.roll(1))}, "sample 3 is 2 and 3"),
        (
            {
                "a": Record.from_arrays(
                    labels=[0], clean_logits=[[1.0, 0]], adversarial_logits=[[0.0, 1]]
                )
            },
            "has 2 classes, the corrector 6",
        ),
    ],
    ids=["none", "labels", "classes"],
)
def test_refused(records, said):
    with pytest.raises(InputError, match=said):
        explain_instance(listening(torch.eye(K)), records, sample=3)


def test_an_image_that_is_not_there():
    with pytest.raises(InputError, match="'a' has no sample 12"):
        explain_instance(listening(torch.eye(K)), {"a": record()}, sample=12)
