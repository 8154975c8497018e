"""Scores by hand, and the fitted ones against independent ways to the same numbers."""

import math

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classward.correction.logit_scores import FITTED, OF_CORRECTOR, SCORES

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


def both_kinds():
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(90, 5, generator=generator) + 6 * torch.eye(5)[torch.arange(90) % 5]
    return clean, 2 * torch.randn(60, 5, generator=generator) + 1


@pytest.mark.parametrize(
    ("name", "made", "ordered"),
    [
        ("lda", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), False),
        ("head", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), True),
    ],
)
def test_weights_are_those_of_the_library(name, made, ordered):
    clean, attacked = both_kinds()
    rows = torch.cat([clean, attacked]).double()
    rows = rows.sort(dim=1).values if ordered else rows
    made.fit(rows.numpy(), np.repeat([0, 1], [90, 60]))
    found = FITTED[name](clean, attacked)(torch.cat([clean, attacked]))
    np.testing.assert_allclose(
        found, made.decision_function(rows.numpy()), rtol=1e-9, atol=1e-9
    )


def test_distance_of_the_centers_is_zero_and_grows_along_every_way():
    clean, attacked = both_kinds()
    found = FITTED["distance"](clean, attacked)
    said = clean.argmax(dim=1)
    centers = torch.stack([clean[said == k].mean(dim=0) for k in range(5)])
    torch.testing.assert_close(found(centers).float(), torch.zeros(5), atol=1e-6, rtol=0)
    step = torch.randn(5, generator=torch.Generator().manual_seed(3))
    far = found(centers[:1] + 0.01 * step), found(centers[:1] + 0.02 * step)
    assert far[1].item() == pytest.approx(4 * far[0].item(), rel=1e-3)  # squared
    spread = found(clean).mean().item()
    assert 3 < spread < 6  # about one for each logit


def test_distance_where_a_logit_never_varies():
    clean, attacked = both_kinds()
    clean[:, 4] = clean[:, :4].sum(dim=1)
    assert FITTED["distance"](clean, attacked)(attacked).isfinite().all()


def test_of_a_corrector():
    """It moves (3, 1, -2) to (1, 4, -1): by (-2, 3, 1), and to another class by 3."""
    corrected = torch.tensor([[1.0, 4.0, -1.0]])
    moved = math.sqrt(sum((change - 2 / 3) ** 2 for change in (-2, 3, 1)))
    assert OF_CORRECTOR["moved"](ROW, corrected).item() == pytest.approx(moved)
    assert OF_CORRECTOR["overruled"](ROW, corrected).item() == 3
    assert OF_CORRECTOR["overruled"](ROW, ROW + 7).item() == 0
    assert OF_CORRECTOR["moved"](ROW, ROW + 7).item() == pytest.approx(0, abs=1e-6)
