import pytest
import torch
from torch import nn

from classward.core.cosines import simplex
from classward.defenses.max_mahalanobis import MaxMahalanobis
from classward.models.heads import CenterHead
from classward.models.network import Network


def test_centers_of_the_worked_example():
    centers = 10 * simplex(10, 10)
    products = centers @ centers.T
    assert products.diagonal().tolist() == pytest.approx([100] * 10)
    assert products[0, 1:].tolist() == pytest.approx([-11.1111] * 9, abs=1e-4)
    assert torch.cdist(centers, centers)[0, 1].square().item() == pytest.approx(222.2222)
    assert torch.linalg.matrix_rank(centers) == 9 and centers.sum(dim=0).abs().max() < 1e-12


def placing(defense, classes):
    """A network whose features are placed as they are."""
    network = Network(nn.Flatten(), defense.head(classes, classes))
    network.head.linear.weight.data = torch.eye(classes)
    network.head.linear.bias.data.zero_()
    return network


def test_loss_of_the_worked_example(batch_of):
    defense = MaxMahalanobis(norm=1.0)
    network = placing(defense, 3)
    terms = defense.loss(network, batch_of(torch.zeros(3, 1, 1, 3), [0, 1, 2]))
    assert terms["distance"].item() == pytest.approx(0.5)
    assert network.head.distances(torch.zeros(1, 3)).tolist() == [pytest.approx([1.0] * 3)]


def test_at_its_center_a_class_leads_by_ten_and_has_a_slope():
    head = CenterHead(10, 10)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(10))
        head.linear.bias.zero_()
    features = head.centers.clone().requires_grad_()
    logits = head(features)
    top = logits.topk(2, dim=1).values
    assert (top[:, 0] - top[:, 1]).tolist() == pytest.approx([10] * 10, rel=1e-5)
    nn.functional.cross_entropy(logits, torch.arange(10)).backward()
    assert (features.grad.norm(dim=1) > 0).all()


def test_the_nearest_center_is_what_is_said():
    head, features = CenterHead(6, 4), torch.randn(20, 6)
    assert torch.equal(head(features).argmax(dim=1), head.distances(features).argmin(dim=1))


def test_the_loss_grows_as_the_norm_of_the_centers_not_as_its_square(batch_of):
    losses = []
    for norm in (1.0, 10.0):
        defense = MaxMahalanobis(norm=norm)
        images = norm * torch.eye(3).view(3, 1, 1, 3)
        terms = defense.loss(placing(defense, 3), batch_of(images, [0, 1, 2]))
        losses.append(terms["distance"].item())
    assert 10 * losses[0] == pytest.approx(losses[1])


def test_gradients_are_those_of_differences():
    head = CenterHead(3, 4).double()
    features = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(head.distances, features)
