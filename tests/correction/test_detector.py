"""Detectors of attacked logits: scores by hand, signs that are learned, and what is refused."""

import math

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.detector import FITTED, SCORES, Detector, pair_of
from classward.records.record import Record

ROW = torch.tensor([[3.0, 1.0, -2.0]])
TOTAL = sum(math.exp(value) for value in (3, 1, -2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", 2 / 3),
        ("largest", 3),
        ("second", 1),
        ("lowest", -2),
        ("margin", 2),
        ("energy", -math.log(TOTAL)),
        (
            "entropy",
            math.log(TOTAL) - sum(v * math.exp(v) for v in (3, 1, -2)) / TOTAL,
        ),
    ],
)
def test_scores(name, value):
    assert SCORES[name](ROW).item() == pytest.approx(value, abs=1e-5)


def logits(shift, count=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 5, generator=generator)
    rows[:, 0] += 6
    return rows + shift


@pytest.mark.parametrize("score", [*SCORES, *FITTED])
def test_the_sign_is_learned(score):
    """Attacks that flatten the logits, and the same with the kinds exchanged."""
    clean, attacked = logits(torch.zeros(5)), 0.2 * logits(torch.ones(5), seed=1) - 4
    for one, other in ((clean, attacked), (attacked, clean)):
        made = Detector(score=score).fit(one, other)
        ours, theirs = made.decision_function(one), made.decision_function(other)
        assert (theirs[:, None] > ours[None, :]).mean() > 0.7
        assert ours.dtype == np.float64


def test_only_what_was_right_and_fell_counts():
    labels = torch.tensor([0, 0, 0, 1])
    clean = torch.eye(3)[torch.tensor([0, 0, 1, 1])]  # the third is wrong before the attack
    attacked = torch.eye(3)[torch.tensor([2, 0, 2, 2])]  # the second does not fall
    record = Record.from_arrays(
        labels=labels, clean_logits=clean, adversarial_logits=attacked, settings={}
    )
    before, after = pair_of(record)
    assert before.tolist() == clean[[0, 1, 3]].tolist()
    assert after.tolist() == attacked[[0, 3]].tolist()


def test_refused():
    with pytest.raises(InputError, match="at least one attack record"):
        Detector().fit_records([])
    with pytest.raises(InputError, match="both kinds"):
        Detector().fit(ROW, ROW[:0])
    with pytest.raises(ValueError, match="score"):
        Detector(score="smallest")
