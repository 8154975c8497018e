"""Detectors of attacked logits: signs and thresholds that are learned, and what is refused."""

from typing import get_args

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.correction.detector import Detector, Score, pair_of
from classward.correction.logit_scores import FITTED, OF_CORRECTOR, SCORES
from classward.records.record import Record


def logits(shift, count=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 5, generator=generator)
    rows[:, 0] += 6
    return rows + shift


def corrector():
    """Leaves clean logits alone, and halves those below."""
    rows = logits(torch.zeros(5))
    made = Corrector.small(hidden=16, epochs=40)
    return made.fit(torch.cat([rows, rows - 4]), [0] * len(rows) + [1] * len(rows))


def test_every_score_has_its_function():
    assert set(get_args(Score)) == {*SCORES, *FITTED, *OF_CORRECTOR}


@pytest.mark.parametrize("score", [*SCORES, *FITTED])
def test_the_sign_is_learned(score):
    """Attacks that flatten the logits, and the same with the kinds exchanged."""
    clean, attacked = logits(torch.zeros(5)), 0.2 * logits(torch.ones(5), seed=1) - 4
    for one, other in ((clean, attacked), (attacked, clean)):
        made = Detector(score=score).fit(one, other)
        ours, theirs = made.decision_function(one), made.decision_function(other)
        assert (theirs[:, None] > ours[None, :]).mean() > 0.7
        assert ours.dtype == np.float64


@pytest.mark.parametrize("score", [*OF_CORRECTOR])
def test_a_corrector_that_takes_attacked_logits_for_another_class(score):
    clean, attacked = logits(torch.zeros(5)), logits(torch.zeros(5), seed=1) - 4
    made = Detector(score=score, corrector=corrector()).fit(clean, attacked)
    ours, theirs = made.decision_function(clean), made.decision_function(attacked)
    assert (theirs[:, None] > ours[None, :]).mean() > 0.7


@pytest.mark.parametrize("score", get_args(Score))
def test_scores_are_differentiable(score):
    """The derivative along a direction is that of a small step, wherever no class ties."""
    clean, attacked = logits(torch.zeros(5)), 0.2 * logits(torch.ones(5), seed=1) - 4
    made = Detector(score=score, corrector=corrector()).fit(clean, attacked)
    asked = torch.cat([clean, attacked]).double().requires_grad_()
    if score in OF_CORRECTOR:
        made.corrector.network_.double()
    (gradient,) = torch.autograd.grad(made.scores(asked).sum(), asked)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0
    way = torch.randn(asked.shape, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        rise = (made.scores(asked + 1e-6 * way) - made.scores(asked - 1e-6 * way)) / 2e-6
    near = (rise - (gradient * way).sum(dim=1)).abs() < 1e-4 * (1 + rise.abs())
    assert near.double().mean() > 0.95


def test_the_threshold_flags_one_clean_in_twenty():
    clean, attacked = logits(torch.zeros(5), count=200), logits(torch.ones(5), seed=1) - 9
    for one, other in ((clean, attacked), (-clean, -attacked)):
        made = Detector(score="largest").fit(one, other)
        assert made.flags(one).sum() == 10 and made.flags(other).mean() > 0.9
        assert (made.flags(one) == (made.decision_function(one) > made.threshold_)).all()


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
        Detector().fit(logits(torch.zeros(5)), logits(torch.zeros(5))[:0])
    with pytest.raises(InputError, match="'moved' needs a corrector"):
        Detector(score="moved").fit(logits(torch.zeros(5)), logits(torch.zeros(5)))
    with pytest.raises(ValueError, match="score"):
        Detector(score="smallest")
