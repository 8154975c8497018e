import json

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.core.losses import margin
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.audit import audit
from classward.evaluation.budget_curve import area, budget_curve
from classward.evaluation.run_attack import run_attack
from classward.models.load import load_model
from classward.records.curve_result import Curve

EPS = 0.08  # radii 0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16
RADII = [0.0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16]
MARGINS = {0: [-0.01, 0.01, 0.03, 0.05, 0.07], 1: [0.03, 0.1, 0.1, 0.14, 0.2]}


def plane(norm):
    """Weights of a linear classifier whose logits are the signed distances to its boundary."""
    weight = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    return weight / (weight.abs().sum() if norm == "linf" else weight.norm())


@pytest.fixture
def known():
    """A classifier and samples whose distances to the boundary are `MARGINS`."""

    def make(norm, margins):
        weight = plane(norm)
        across = weight.sign() / (weight @ weight.sign())
        labels = [label for label, values in margins.items() for _ in values]
        signed = [v if k == 0 else -v for k, values in margins.items() for v in values]
        images = 0.5 + torch.tensor(signed)[:, None] * across
        model = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
        model[1].weight.data = torch.stack([weight, -weight, 0 * weight])
        model[1].bias.data = torch.tensor([-weight.sum() / 2, weight.sum() / 2, -9.0])
        names = ["near", "far", "absent"]
        return model.eval(), Split(images.view(-1, 1, 2, 4), torch.tensor(labels), names)

    return make


def standing(values, radius):
    return sum(value > radius for value in values) / len(values)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_curve_of_known_margins_is_exact(known, norm):
    model, data = known(norm, MARGINS)
    found = budget_curve(model, data, eps=EPS, norm=norm, batch_size=3)
    every = MARGINS[0] + MARGINS[1]
    assert found.radii == pytest.approx(RADII)
    assert found.accuracy == pytest.approx([standing(every, r) for r in RADII])
    for label, values in MARGINS.items():
        expected = [standing(values, r) for r in RADII]
        assert found.per_class[label] == pytest.approx(expected)
        places, heights = torch.tensor(RADII), torch.tensor(expected)
        by_hand = sum((places[1:] - places[:-1]) * (heights[1:] + heights[:-1]) / 2) / 0.16
        assert found.class_auc[label] == pytest.approx(by_hand.item(), abs=1e-6)
    assert found.auc == pytest.approx(sum(found.class_auc[:2]) / 2)  # of equal size
    assert found.samples == 10


def test_a_class_without_samples_is_undefined(known):
    found = budget_curve(*known("linf", MARGINS), eps=EPS, norm="linf")
    assert found.per_class[2] == [None] * 7 and found.class_intervals[2] == [None] * 7
    assert found.class_auc[2] is None
    assert all(
        low <= value <= high
        for values, bounds in zip(found.per_class[:2], found.class_intervals, strict=False)
        for value, (low, high) in zip(values, bounds, strict=True)
    )


def test_nothing_is_attacked_twice(known):
    """Where all fall at the first radius, the larger ones cost nothing."""
    model, data = known("linf", {0: [0.001] * 4, 1: [0.001] * 4})
    found = budget_curve(model, data, eps=EPS, norm="linf")
    assert found.accuracy == [1.0] + [0.0] * 6
    assert found.passes.forward <= 8 * (4 + 23)
    assert found.auc == pytest.approx(0.01 / 0.16)


def test_equal_whatever_the_order_and_the_batches(known):
    model, data = known("linf", MARGINS)
    one = budget_curve(model, data, eps=EPS, norm="linf", batch_size=1)
    turned = data.select(torch.arange(len(data)).flip(0))
    other = budget_curve(model, turned, eps=EPS, norm="linf", batch_size=4)
    assert one.accuracy == other.accuracy and one.per_class == other.per_class


def test_the_curve_of_a_network_never_rises():
    model, data = load_model("small_cnn", seed=3), load_data("digits", samples=60)
    found = budget_curve(model, data, eps=0.1, norm="linf")
    for row in (found.accuracy, *found.per_class):
        assert row == sorted(row, reverse=True)
    assert found.accuracy[0] > found.accuracy[-1]
    assert 0 <= found.auc <= found.accuracy[0]


class Ring(nn.Module):
    """Wrong only at distances about 0.03 from grey: larger balls hide where it is."""

    def forward(self, images):
        far = (images - 0.5).flatten(1).abs().amax(1)
        return torch.stack([torch.full_like(far, 0.5), ((far - 0.03).abs() < 0.011).float()], 1)


def test_what_fell_at_a_smaller_radius_has_fallen():
    data = Split(torch.full((40, 1, 2, 2), 0.5), torch.zeros(40).long(), ["all", "none"])
    attack = PGD(ball=Linf(0.16), steps=20, step_size=0.04)
    alone = run_attack(Ring(), attack, data, loss=margin, until="first_success")
    found = budget_curve(Ring(), data, eps=0.08, norm="linf")
    assert alone.robust_accuracy > 0.5 and found.accuracy[-1] < 0.1
    assert found.accuracy == sorted(found.accuracy, reverse=True) and found.accuracy[0] == 1


def test_the_area_of_a_constant_is_the_constant():
    rows = torch.tensor([[0.7] * 4, [0.0] * 4, [1.0] * 4], dtype=torch.float64)
    assert area([0.0, 0.1, 0.15, 0.4], rows).tolist() == pytest.approx([0.7, 0.0, 1.0])
    assert area([0.0], rows[:, :1]).tolist() == [0.7, 0.0, 1.0]


def test_radii_end_where_pixels_do(known):
    found = budget_curve(*known("linf", MARGINS), eps=0.6, norm="linf")
    assert found.radii == pytest.approx([0, 0.15, 0.3, 0.45, 0.6, 0.9, 1.0])
    found = budget_curve(*known("linf", MARGINS), eps=1.0, norm="linf")
    assert found.radii == [0, 0.25, 0.5, 0.75, 1.0]
    far = budget_curve(*known("l2", MARGINS), eps=1.0, norm="l2")
    assert far.radii[-1] == 2.0


def test_radius_0_alone(known):
    found = budget_curve(*known("linf", MARGINS), eps=0.0, norm="linf")
    assert found.radii == [0.0] and found.accuracy == [0.9] and found.auc == 0.9


def test_a_bad_radius_is_refused(known):
    with pytest.raises(InputError, match="beyond 1"):
        budget_curve(*known("linf", MARGINS), eps=8.0, norm="linf")


def test_progress_counts_radii(known):
    told = []
    budget_curve(
        *known("linf", MARGINS), eps=EPS, norm="linf", progress=lambda *n: told.append(n)
    )
    assert told == [(n, 7) for n in range(1, 8)]


def test_is_the_same_after_json(known):
    found = budget_curve(*known("linf", MARGINS), eps=EPS, norm="linf")
    assert Curve.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert [row["radius"] for row in found.rows()] == found.radii


def test_only_the_full_budget_has_a_curve_and_only_in_time(known):
    model, data = known("linf", {0: [0.02, 0.05], 1: [0.06, 0.03]})
    few = {"eps": 0.07, "norm": "linf"}
    assert audit(model, data, **few).curve is None
    assert audit(model, data, **few, budget="standard").curve is None
    assert audit(model, data, **few, budget="full", time_limit=0.0).curve is None
    full = audit(model, data, **few, budget="full")
    assert full.curve == budget_curve(model, data, **few)
    assert full.curve.accuracy[4] == full.robust_accuracy == 0.0


@pytest.mark.slow
def test_the_curve_meets_the_audit_at_both_of_its_radii(known):
    model, data = known("linf", {0: [-0.01, 0.05], 1: [0.06, 0.09]})
    full = audit(model, data, eps=0.07, budget="full")
    assert full.curve.accuracy[0] == full.clean_accuracy == 0.75
    assert full.curve.accuracy[4] == full.robust_accuracy == 0.25
