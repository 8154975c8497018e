"""Explanations of correctors that are made by hand, so that it is known what they listen to."""

import base64
import io

import pytest
import torch
from PIL import Image
from torch import nn

from classward.analysis.supporting_classes import support_by_backward
from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.correction.network import CorrectionNetwork
from classward.data.split import Split
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
    assert entry.joined.supporting == ["5"] and entry.looked_at == 1
    assert entry.joined.counts["5"] == heard and sum(entry.joined.counts.values()) == N
    assert entry.joined.top_share == heard / N and entry.expected_share == pytest.approx(1 / K)


def test_the_identity_hears_the_label_alone():
    entry = explain(with_weights(torch.eye(K)), {"next": record()}).attacks[0]
    assert entry.corrected.value == 0 and entry.first_missed.label.value == 1
    assert entry.first_missed.attacked.value == 0
    assert entry.first_corrected.label.value is None  # none was corrected
    assert set(entry.joined.counts.values()) == {N // K}


def test_the_attacked_class_may_be_the_first():
    """What takes each prediction back by one hears the attacked class alone."""
    entry = explain(with_weights(torch.eye(K).roll(1, dims=1)), {"next": record()}).attacks[0]
    assert entry.corrected.value == 1 and entry.first_corrected.attacked.value == 1
    assert entry.first_corrected.label.value == 0


def test_the_parts_apart():
    """Of a linear corrector H_i is row i, and H_mean the mean row, of every sample."""
    weight = torch.eye(K)
    weight[:, 3] -= 0.5
    weight[7, 8] += 5.0
    entry = explain(with_weights(weight), {"next": record()}).attacks[0]
    rows = weight[LABELS].argmax(dim=1)
    assert entry.own.counts == {
        str(k): int((rows == k).sum())
        for k in rows.bincount().argsort(descending=True, stable=True).tolist()
        if (rows == k).any()
    }
    assert entry.mean.counts == {"3": N} and entry.mean.top_share == 1
    assert entry.mean.references["permuted labels"].overlap == pytest.approx(1)
    assert entry.mean.references["random weights"].overlap < 1


def test_counts_that_follow_the_inputs_are_told():
    """The greater a class's mean logit, the more often it is counted."""
    attacked = record().adversarial_logits + torch.linspace(0, 4, K)
    heard = torch.where(torch.arange(K) < 6, K - 1, torch.arange(K))
    weight = 10 * torch.eye(K)[heard]
    rows = record(attacked)
    entry = explain(with_weights(weight), {"a": rows}).attacks[0]
    assert entry.joined.follows_logits > 0.5
    assert "not centered" in text_summary(explain(with_weights(weight), {"a": rows}))
    still = explain(with_weights(torch.eye(K)), {"a": rows}).attacks[0]
    assert still.joined.follows_logits is None  # every class counts alike


def test_mean_logits_before_and_after():
    """The attack raises every mean by 6; a constant mean has one bin, not one for rounding."""
    found = explain(fitted(), {"a": record(CLEAN + 6.0)}).attacks[0].mean_logits
    assert len(found.edges) == len(found.clean) + 1 == len(found.attacked) + 1
    assert found.clean[0] == found.attacked[-1] == N == sum(found.clean) == sum(found.attacked)
    assert found.edges[-1] - found.edges[0] == pytest.approx(6, abs=1e-4)
    same = explain(fitted(), {"a": record(CLEAN.roll(1, dims=1))}).attacks[0].mean_logits
    assert max(same.clean) == max(same.attacked) == N
    assert same.edges[-1] - same.edges[0] == pytest.approx(1)


def test_any_network_will_do():
    """Three layers, ranks, and a module of another make: S is that of one backward pass."""
    made = fitted()
    layers = [nn.Linear(K, 20), nn.Tanh(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, K)]
    for network in (
        nn.Sequential(*layers),
        CorrectionNetwork(K, 20, torch.Generator(), deep=True),
        CorrectionNetwork(K, 20, torch.Generator(), ranks=8),
    ):
        made.network_ = network
        entry = explain(made, {"a": record()}).attacks[0]
        rows = record().adversarial_logits
        first = support_by_backward(network, rows, LABELS).argmax(dim=1)
        assert entry.joined.counts == {
            str(k): int((first == k).sum())
            for k in first.bincount(minlength=K).argsort(descending=True, stable=True).tolist()
            if (first == k).any()
        }
        assert 0 <= entry.joined.references["random weights"].overlap < 1


def test_an_image_of_each_frequent_class():
    pixels = torch.arange(N, dtype=torch.uint8).view(N, 1, 1, 1).repeat(1, 1, 4, 4)
    data = Split(pixels, LABELS, [str(k) for k in range(K)])
    told = explain(fitted(), {"a": record()}, data=data)
    assert list(told.images) == list(told.attacks[0].joined.counts)[:10]
    for name, shown in told.images.items():
        raw = base64.b64decode(shown.removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(raw)).getpixel((0, 0)) % K == int(name)
    page = render(told)
    assert told.images[name] in page and told.images[name] not in render(
        explain(fitted(), {"a": record()})
    )
    with pytest.raises(InputError, match="give the attacked data"):
        explain(fitted(), {"a": record()}, data=data.select(torch.arange(3)))


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
    assert entry.joined.supporting == ["0"] and entry.corrected.value == 1
    assert entry.lowered.right.value == 0 and entry.lowered.fallen_back.value > 0.9
    assert entry.lowered_random.right.value > 0.8


def test_references_and_overlap():
    first, second = fitted(), fitted(seed=1)
    told = explain(first, {"a": record(), "b": record(CLEAN.roll(3, dims=1))}, second=second)
    entry = told.attacks[0]
    assert [*entry.joined.references] == [
        "random weights",
        "another seed",
        "permuted labels",
        "one half beside the other",
    ]
    assert all(0 <= ref.overlap <= 1 for ref in entry.joined.references.values())
    assert told.overlap[0][0] == pytest.approx(1) and told.overlap[0][1] == told.overlap[1][0]
    same = explain(first, {"a": record()}, second=first).attacks[0]
    assert same.joined.references["another seed"].overlap == pytest.approx(1)
    assert "another seed" not in explain(first, {"a": record()}).attacks[0].own.references
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
    assert "leaves part of each to chance" in page
    assert page.count("<details>") == 4 and page.index("<details>") < page.index("By H of the")
    assert "b &lt;i&gt;" in page and "<i>" not in page.split("<body")[1]
    assert told.rows()[0]["supporting"] == ", ".join(told.attacks[0].joined.supporting)


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
