import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.losses import kl
from classward.core.randomness import SampleRandom
from classward.defenses.trades import Trades
from classward.models.heads import LinearHead
from classward.models.network import Network

CLEAN = torch.tensor([[2.0, 0, -1], [0.5, 1, 0]])
ATTACKED = torch.tensor([[0.5, 1, -1], [0, 1.5, 0]])
IMAGES = torch.full((2, 1, 2, 2), 0.5)
ATTACK = PGD(ball=Linf(0.1), step_size=0.025, steps=20)


def test_worked_example(batch_of, answering):
    terms = Trades().loss(answering(CLEAN, ATTACKED), batch_of(IMAGES, [0, 1]))
    assert terms["cross_entropy"].item() == pytest.approx(0.4250578)
    assert terms["divergence"].item() == pytest.approx(6 * 0.3128385)
    assert sum(terms.values()).item() == pytest.approx(2.3020889)


def test_both_predictions_have_a_gradient(batch_of, answering):
    clean, attacked = CLEAN.clone().requires_grad_(), ATTACKED.clone().requires_grad_()
    Trades().loss(answering(clean, attacked), batch_of(IMAGES, [0, 1]))["divergence"].backward()
    assert clean.grad.abs().min() > 0 and attacked.grad.abs().min() > 0


def linear():
    network = Network(nn.Flatten(), LinearHead(4, 3))
    weights = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    network.head.linear.weight.data = weights
    network.head.linear.bias.data.zero_()
    return network


def test_the_attack_climbs_the_divergence_from_the_clean_prediction(batch_of):
    network, batch = linear(), batch_of(IMAGES, [0, 1])
    made = Trades(attack=ATTACK).perturb(network, batch)
    corner = IMAGES + 0.1 * (made - IMAGES).sign()
    torch.testing.assert_close(made, corner)
    with torch.no_grad():
        clean = network(IMAGES)
        reached = kl(network(made), clean)
        for pixel in range(4):
            other = made.clone().flatten(1)
            other[:, pixel] = 1 - other[:, pixel]
            assert (kl(network(other.view_as(made)), clean) <= reached).all()
    # It knows no labels.
    again = Trades(attack=ATTACK).perturb(network, batch_of(IMAGES, [2, 2]))
    assert torch.equal(made, again)


def test_clean_and_adversarial_images_are_not_mixed_by_batch_norm(batch_of):
    norm = nn.BatchNorm2d(1, momentum=1.0)
    network = Network(nn.Sequential(norm, nn.Flatten()), LinearHead(4, 3)).train()
    dark, bright = torch.rand(2, 1, 2, 2) / 4, 0.75 + torch.rand(2, 1, 2, 2) / 4
    Trades().loss(network, batch_of(dark, [0, 1], adversarial=bright))
    torch.testing.assert_close(norm.running_mean, bright.mean()[None])  # of the last alone


def test_extreme_logits_leave_it_finite(batch_of, answering):
    for size in (1e4, 1e-30):
        clean = (size * CLEAN).requires_grad_()
        attacked = (size * ATTACKED).requires_grad_()
        terms = Trades().loss(answering(clean, attacked), batch_of(IMAGES, [0, 1]))
        sum(terms.values()).backward()
        assert clean.grad.isfinite().all() and attacked.grad.isfinite().all()


def test_a_seed_gives_the_same_images(batch_of):
    network, batch = linear(), batch_of(IMAGES, [0, 1])
    first = Trades(attack=ATTACK).perturb(network, batch)
    batch.rng = SampleRandom(0, "train", batch.ids)
    assert torch.equal(first, Trades(attack=ATTACK).perturb(network, batch))
