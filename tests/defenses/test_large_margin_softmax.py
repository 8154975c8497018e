from math import acos, cos, pi, radians

import pytest
import torch
from torch import nn

from classward.defenses.large_margin_softmax import LargeMarginSoftmax, psi
from classward.models.network import Network

ANGLES = [0, 30, 60, 90, 120, 180]
VALUES = {
    1: [1, cos(pi / 6), 0.5, 0, -0.5, -1],
    2: [1, 0.5, -0.5, -1, -1.5, -3],
    3: [1, 0, -1, -2, -3, -5],
    4: [1, -0.5, -1.5, -3, -4.5, -7],
}


@pytest.mark.parametrize("times", VALUES)
def test_worked_example(times):
    cosines = torch.tensor([cos(radians(a)) for a in ANGLES], dtype=torch.float64)
    assert psi(cosines, times).tolist() == pytest.approx(VALUES[times], abs=1e-6)


@pytest.mark.parametrize("times", VALUES)
def test_it_falls_without_a_jump(times):
    angles = torch.linspace(0, pi, 20001, dtype=torch.float64)
    steps = psi(angles.cos(), times).diff()
    assert (steps <= 1e-9).all() and steps.abs().max() < 5e-3


def test_gradients_are_those_of_differences_and_finite_at_the_ends():
    inner = torch.tensor([0.9, 0.3, -0.2, -0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: psi(c, 3), inner)
    ends = torch.tensor([1.0, -1.0], requires_grad=True)
    psi(ends, 4).sum().backward()
    assert ends.grad.isfinite().all()


def network_of(defense):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(nn.Flatten(), defense.head(4, 3))


def test_is_the_definition_written_as_a_loop(batch_of):
    defense, images = LargeMarginSoftmax(times=3, start=2.0, decay=0.0), torch.rand(5, 1, 2, 2)
    network, labels = network_of(defense), torch.tensor([0, 1, 2, 0, 1])
    w, z, total = network.head.prototypes(), images.flatten(1), 0.0
    for row, label in zip(z, labels, strict=True):
        logits = w @ row
        size = w[label].norm() * row.norm()
        angle = acos((logits[label] / size).item())
        k = int(angle * 3 / pi)
        margin = size * ((-1) ** k * cos(3 * angle) - 2 * k)
        logits[label] = (2 * size * cos(angle) + margin) / 3
        total += nn.functional.cross_entropy(logits[None], label[None])
    terms = defense.loss(network, batch_of(images, labels))
    torch.testing.assert_close(terms["cross_entropy"], total / 5)


def test_without_a_margin_it_is_the_cross_entropy(batch_of):
    defense, images = LargeMarginSoftmax(times=1), torch.rand(3, 1, 2, 2)
    network, labels = network_of(defense), torch.tensor([0, 1, 2])
    terms = defense.loss(network, batch_of(images, labels))
    wanted = nn.functional.cross_entropy(network(images), labels)
    torch.testing.assert_close(terms["cross_entropy"], wanted)


def test_the_margin_comes_in_as_steps_go_by(batch_of):
    defense, images = LargeMarginSoftmax(times=4, least=0.5), torch.rand(3, 1, 2, 2)
    network = network_of(defense)
    losses = [
        defense.loss(network, batch_of(images, [0, 1, 2], step=step))["cross_entropy"].item()
        for step in (0, 5_000, 8_000, 20_000, 40_000)
    ]
    assert losses[0] < losses[1] < losses[2] < losses[3] == losses[4]  # weights 1000, 14, 1.2


def test_zero_features_and_prototypes_have_finite_gradients(batch_of):
    defense = LargeMarginSoftmax(start=0.0)
    network, images = network_of(defense), torch.zeros(2, 1, 2, 2).requires_grad_()
    network.head.weight.data[1] = 0
    defense.loss(network, batch_of(images, [0, 1]))["cross_entropy"].backward()
    assert images.grad.isfinite().all() and network.head.weight.grad.isfinite().all()
