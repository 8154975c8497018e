"""Explanations of correctors that are made by hand, so that it is known what they listen to."""

import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.evaluation.explain import explain
from classward.records.record import Record
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.summary import text_summary

K, N = 12, 60
LABELS = torch.arange(N) % K
CLEAN = 10.0 * torch.eye(K)[LABELS]


def record(adversarial=None, clean=CLEAN, **settings):
    if adversarial is None:  # the next class wins, the label is second
        adversarial = clean.roll(1, dims=1) + 0.6 * clean
    return Record.from_arrays(
        labels=LABELS, clean_logits=clean, adversarial_logits=adversarial, settings=settings
    )


def fitted(seed=0, **options):
    made = Corrector.small(hidden=32, epochs=30, seed=seed, **options)
    return made.fit_records([record()])


def with_weights(weight):
    """A linear corrector of these weights."""
    made = Corrector.small(layers=1, epochs=1).fit_records([record()])
    made.network_.output.weight.copy_(weight)
    made.network_.output.bias.zero_()
    return made


def test_a_corrector_that_hears_one_class_alone():
    """Logit 5 pulls up every class but one whose own prediction it is."""
    weight = torch.eye(K)
    weight[:, 5] += torch.linspace(1, 30, K)
    entry = explain(with_weights(weight), {"next": record()}).attacks[0]
    pulls = (weight - weight.mean(dim=0))[LABELS]  # what pulls every class alike is taken off
    heard = int((pulls.argmax(dim=1) == 5).sum())
    assert 0 < heard < N
    assert entry.supporting == ["5"] and entry.looked_at == 1
    assert entry.counts["5"] == heard and sum(entry.counts.values()) == N
    assert entry.top_share == heard / N and entry.expected_share == pytest.approx(1 / K)


def test_the_identity_hears_the_label_alone():
    entry = explain(with_weights(torch.eye(K)), {"next": record()}).attacks[0]
    assert entry.corrected.value == 0 and entry.top_is_label_missed.value == 1
    assert entry.top_is_label.value is None  # none was corrected
    assert set(entry.counts.values()) == {N // K}


def test_what_it_depends_on_breaks_when_it_is_lowered():
    """Logit 0 outvotes what the attack did; without it, the attacked class is back."""
    attacked = record().adversarial_logits.clone()
    attacked[:, 0] = 3.0
    labels = torch.zeros(N, dtype=torch.int64)
    clean = 10.0 * torch.eye(K)[labels]
    rows = Record.from_arrays(
        labels=labels, clean_logits=clean, adversarial_logits=attacked, settings={}
    )
    weight = torch.eye(K)
    weight[0, 0] = 40.0
    entry = explain(with_weights(weight), {"attack": rows}).attacks[0]
    assert entry.supporting == ["0"] and entry.corrected.value == 1
    assert entry.lowered.right.value == 0 and entry.lowered.fallen_back.value > 0.9
    assert entry.lowered_random.right.value > 0.8


def test_references_and_overlap():
    first, second = fitted(), fitted(seed=1)
    told = explain(first, {"a": record(), "b": record(CLEAN.roll(3, dims=1))}, second=second)
    entry = told.attacks[0]
    assert [*entry.references] == [
        "random weights",
        "another seed",
        "permuted labels",
        "one half beside the other",
    ]
    assert all(0 <= ref.overlap <= 1 for ref in entry.references.values())
    assert told.overlap[0][0] == pytest.approx(1) and told.overlap[0][1] == told.overlap[1][0]
    same = explain(first, {"a": record()}, second=first).attacks[0]
    assert same.references["another seed"].overlap == pytest.approx(1)
    assert "another seed" not in explain(first, {"a": record()}).attacks[0].references
    assert explain(first, {"a": record()}) == explain(first, {"a": record()})


def test_only_what_was_right_before_the_attack():
    clean = CLEAN.clone()
    clean[: N // 2] = CLEAN[: N // 2].roll(1, dims=1)
    entry = explain(fitted(), {"a": record(clean=clean)}).attacks[0]
    assert entry.samples == N // 2


def test_saved_printed_and_rendered(tmp_path):
    told = explain(fitted(), {"a": record(), "b <i>": record()})
    assert load(dump(told), "result.json") == told
    text, page = text_summary(told), render(told, tmp_path / "page.html")
    assert "What it listens to (a)" in text and "random weights" in text
    assert "b &lt;i&gt;" in page and "<i>" not in page.split("<body")[1]
    assert told.rows()[0]["supporting"] == ", ".join(told.attacks[0].supporting)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({}, "at least one attack record"),
        ({"a": record(until="first_success")}, "stopped at first success"),
        ({"a": record(clean=CLEAN.roll(1, dims=1))}, "nothing was right before"),
        (
            {
                "a": Record.from_arrays(
                    labels=LABELS[:4] % 3,
                    clean_logits=torch.eye(3)[LABELS[:4] % 3],
                    adversarial_logits=torch.rand(4, 3),
                    settings={},
                )
            },
            "has 3 classes, the corrector 12",
        ),
    ],
    ids=["none", "stopped", "wrong", "classes"],
)
def test_refused(records, said):
    with pytest.raises(InputError, match=said):
        explain(fitted(), records)
