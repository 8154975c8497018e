import pytest
import torch
from torch import nn

from classward.core.cosines import simplex
from classward.defenses.weight_penalization import WeightPenalization
from classward.models.heads import SmallNormHead
from classward.models.network import Network


def test_worked_example():
    defense = WeightPenalization()
    penalty = defense.penalty(0.1 * torch.eye(10))
    assert penalty.item() == pytest.approx(0.010541, abs=1e-6)
    assert 100 * penalty.item() == pytest.approx(1.0541, abs=1e-4)


def test_the_corners_of_a_simplex_have_no_penalty_and_a_finite_gradient():
    rows = (0.1 * simplex(10, 12)).requires_grad_()
    penalty = WeightPenalization().penalty(rows)
    penalty.backward()
    assert penalty.item() < 1e-9 and rows.grad.isfinite().all()


def test_gradients_are_those_of_differences():
    rows = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(WeightPenalization().penalty, rows)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_logits_are_scaled_products_of_bounded_features(batch_of, scale):
    defense = WeightPenalization(scale=scale)
    network = Network(nn.Flatten(), defense.head(4, 3))
    images, labels = torch.rand(2, 1, 2, 2), torch.tensor([0, 2])
    logits = scale * images.flatten(1).tanh() @ network.head.prototypes().T
    torch.testing.assert_close(network(images), logits)
    terms = defense.loss(network, batch_of(images, labels))
    wanted = nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(terms["cross_entropy"], wanted)


def test_prototypes_begin_near_their_norm():
    lengths = SmallNormHead(512, 10, norm=0.3).prototypes().norm(dim=1)
    assert lengths.tolist() == pytest.approx([0.3] * 10, rel=0.2)
