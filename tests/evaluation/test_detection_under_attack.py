"""Detectors under attack, on a model in whose ball every logit can be chosen."""

import pytest
import torch
from torch import nn

from classward.core.errors import InputError
from classward.core.losses import margin
from classward.correction.detector import Detector
from classward.data.split import Split
from classward.evaluation.bank import clean_bank
from classward.evaluation.detection import detection_table, noise_statistic
from classward.evaluation.detection_under_attack import detection_under_attack, evading
from classward.records.detection_result import DetectionTable
from classward.records.record import Record
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.summary import text_summary

K = 4


def data(seed=0, count=60):
    labels = torch.arange(count) % K
    noise = 0.03 * torch.randn(count, K, generator=torch.Generator().manual_seed(seed))
    pixels = 0.35 + 0.3 * torch.eye(K)[labels] + noise
    return Split(pixels.view(count, 1, 2, 2), labels)


def model():
    made = nn.Sequential(nn.Flatten(), nn.Linear(K, K, bias=False))
    made[1].weight.data = 10 * torch.eye(K)
    return made


def detectors():
    """Fitted on attacks that overshoot: the largest logit of their images is far too large."""
    clean = model()(data().batch(torch.arange(60))).detach()
    attacked = clean.roll(1, dims=1) + 2.5 * torch.eye(K)[(data().labels + 1) % K]
    names = ("largest", "margin", "distance")
    return {name: Detector(score=name).fit(clean, attacked) for name in names}


def under(eps=0.5, seen=None, **options):
    options = {"bank": clean_bank(model(), data()), "norm": "linf", "steps": 20} | options
    return detection_under_attack(
        model(), detectors() if seen is None else seen, data(1), eps=eps, **options
    )


def test_who_knows_nothing_is_seen_and_who_knows_goes_by():
    found = under(steps=50)
    assert found.samples == 60 and found.adaptive == "PGD-50 on the detector"
    assert found.fell["PGD-50"].value == 1 and found.fell["logit mimicry"].value == 1
    for name, entry in found.detectors.items():
        assert entry.false_alarms.value < 0.2, name
        assert entry.missed["PGD-50"].value < 0.5, name
        assert entry.missed["logit mimicry"].value > 0.8, name
        assert entry.missed[found.adaptive].value > 0.9, name


def test_too_small_a_ball_misses_nothing():
    found = under(eps=0.01, seen={"largest": detectors()["largest"]})
    assert set(found.fell) == {"PGD-20", "logit mimicry"}
    shares = found.detectors["largest"].missed.values()
    assert [entry.value for entry in shares] == [0, 0, 0]


def test_evading_climbs_the_margin_and_then_sinks_below_the_threshold():
    detector = detectors()["largest"]
    loss, labels = evading(detector), torch.zeros(3, dtype=torch.int64)
    rows = torch.tensor([[5.0, 4, 4, 4], [4, 30, 4, 4], [4, 5, 4, 4]])
    asked = rows.clone().requires_grad_()
    found = loss(asked, labels)
    assert found[0].item() == margin(rows, labels)[0].item() == -1
    assert found[1].item() == pytest.approx(detector.threshold_ - 30, abs=1e-5)
    assert found[2].item() == 0
    (gradient,) = torch.autograd.grad(found.sum(), asked)
    assert gradient[1].tolist() == [0, -1, 0, 0] and gradient[2].abs().sum() == 0


def test_the_noise_statistic_is_judged_beside_them():
    noise = noise_statistic(model(), data(), draws=4)
    found = under(noise=noise, seen={"largest": detectors()["largest"]})
    entry = found.detectors["noise"]
    assert list(entry.missed) == ["PGD-20", "logit mimicry"]  # and not the adaptive attack
    assert entry.false_alarms.total == 60 and entry.missed["logit mimicry"].value > 0.5


def test_saved_printed_and_rendered(tmp_path):
    seen = record()
    table = detection_table({"train": seen}, {"a": seen})
    both = DetectionTable(
        **{
            name: getattr(table, name)
            for name in ("fitted_on", "detectors", "attacks", "cells")
        },
        under_attack=under(noise=noise_statistic(model(), data(), draws=2)),
    )
    assert load(dump(both), "result.json") == both
    page, text = render(both), text_summary(both)
    assert "What evades them" in page and "not run" in page
    assert "What evades them" not in render(table)
    assert "misclassified, not flagged" in text and "at 5% false alarms" in text
    assert "goes around it" in text_summary(table)
    rows = {row["detector"]: row for row in both.under_attack.rows()}
    assert rows["largest"]["PGD-20 on the detector"] > 0.9


def record():
    clean = model()(data().batch(torch.arange(60))).detach()
    attacked = clean.roll(1, dims=1) + 2.5 * torch.eye(K)[(data().labels + 1) % K]
    return Record.from_arrays(
        labels=data().labels, clean_logits=clean, adversarial_logits=attacked
    )


def test_progress_runs_over_all_attacks():
    told = []
    under(seen={"largest": detectors()["largest"]}, progress=lambda *step: told.append(step))
    assert told[-1] == (180, 180) and told == sorted(told)


def test_refused():
    with pytest.raises(InputError, match="eps above 0"):
        under(eps=0.0)
    with pytest.raises(InputError, match="bank has 3 logits"):
        under(bank=torch.eye(3))
