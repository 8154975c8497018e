import pytest
import torch
from torch import nn

from classward.defenses.pcl import Pcl, distances
from classward.models.network import Network

CENTERS = torch.tensor([[1.0, 0], [0, 1], [-1, -1]])


def test_worked_example():
    near, far = distances(torch.tensor([[0.5, 0.5]]), CENTERS, torch.tensor([0]))
    assert (near.item(), far.item()) == pytest.approx((0.5, 2.5))


def made(**options):
    defense = Pcl(**options)
    return defense, Network(nn.Flatten(), defense.head(4, 3))


def test_clean_and_adversarial_images_count_alike(batch_of):
    defense, network = made(push=0.5)
    clean, attacked = torch.rand(2, 1, 2, 2), torch.rand(2, 1, 2, 2)
    both = defense.loss(network, batch_of(clean, [0, 2], attacked))
    apart = [defense.loss(network, batch_of(rows, [0, 2])) for rows in (clean, attacked)]
    for name, value in both.items():
        torch.testing.assert_close(value, (apart[0][name] + apart[1][name]) / 2)
    assert both["pull"] > 0 > both["push"]


def test_centers_learn_at_their_own_rate_whatever_the_weight(batch_of):
    images = torch.rand(3, 1, 2, 2)
    steps = []
    for weight in (1.0, 0.01):
        defense, network = made(pull=weight, pull_rate=3.0)
        defense.pull_centers.data = torch.ones(3, 4)
        defense.loss(network, batch_of(images, [0, 1, 2]))["pull"].backward()
        steps.append(defense.pull_centers.grad)
    torch.testing.assert_close(steps[0], steps[1])
    # Of the mean squared distance of three images, one for each class.
    torch.testing.assert_close(steps[0], 3 * 2 / 3 * (1 - images.flatten(1)))


def test_without_weights_it_is_the_cross_entropy(batch_of):
    defense, network = made(pull=0.0, push=0.0)
    images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 2])
    total = sum(defense.loss(network, batch_of(images, labels)).values())
    torch.testing.assert_close(total, nn.functional.cross_entropy(network(images), labels))


def test_features_at_a_center_have_finite_gradients(batch_of):
    defense, network = made()
    images = defense.pull_centers.data.view(3, 1, 2, 2).clone().requires_grad_()
    sum(defense.loss(network, batch_of(images, [0, 1, 2])).values()).backward()
    assert images.grad.isfinite().all() and defense.pull_centers.grad.isfinite().all()
