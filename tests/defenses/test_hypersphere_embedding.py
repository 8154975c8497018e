import pytest
import torch
from torch import nn

from classward.defenses.hypersphere_embedding import HypersphereEmbedding
from classward.models.heads import CosineHead
from classward.models.network import Network

COSINES = torch.tensor([[0.6, 0.1, -0.2]])


@pytest.mark.parametrize(
    ("scale", "margin", "loss"),
    [(15.0, 0.2, 0.01116979), (10.0, 0.2, 0.05094576), (15.0, 0.0, 0.00055907)],
)
def test_worked_example(batch_of, answering, scale, margin, loss):
    defense = HypersphereEmbedding(scale=scale, margin=margin)
    network = answering(scale * COSINES)
    terms = defense.loss(network, batch_of(torch.rand(1, 1, 2, 2), [0]))
    assert terms["cross_entropy"].item() == pytest.approx(loss, rel=3e-4)


def test_lengths_do_not_count():
    head, features = CosineHead(6, 4), torch.randn(5, 6)
    before = head(features)
    head.weight.data *= torch.tensor([[0.1], [1.0], [10.0], [3.0]])
    torch.testing.assert_close(head(7 * features), before)
    assert (before.abs() <= 15 + 1e-4).all()


@pytest.mark.parametrize("zeroed", ["features", "weight"])
def test_zero_vectors_have_finite_gradients(zeroed):
    head, features = CosineHead(6, 4), torch.randn(5, 6)
    (head.weight.data if zeroed == "weight" else features)[0] = 0
    features.requires_grad_()
    head(features).square().sum().backward()
    assert features.grad.isfinite().all() and head.weight.grad.isfinite().all()


def test_gradients_are_those_of_differences():
    head = CosineHead(3, 4).double()
    features = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(head, features)


def test_the_network_answers_without_the_margin(batch_of):
    defense = HypersphereEmbedding(margin=0.5)
    network = Network(nn.Flatten(), defense.head(4, 3))
    images = torch.rand(2, 1, 2, 2)
    wanted = network(images)
    defense.loss(network, batch_of(images, [0, 1]))
    assert torch.equal(network(images), wanted)
