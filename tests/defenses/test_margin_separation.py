import math

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.cosines import target_cosines
from classward.core.fair_weights import fair_weights
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.margin_separation import MarginSeparation
from classward.models.heads import LinearHead
from classward.models.network import Network

PAIRS = [(1, 3), (0, 4)]


def network_for(defense, classes=5):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = defense.head(8, classes)
        return Network(nn.Sequential(nn.Flatten(), nn.Linear(12, 8)), head)


@pytest.fixture
def batch(batch_of):
    generator = torch.Generator().manual_seed(0)
    clean, adversarial = torch.rand(2, 10, 3, 2, 2, generator=generator)
    return batch_of(clean, [i % 5 for i in range(10)], adversarial)


def test_worked_example(batch_of):
    network = Network(nn.Flatten(), LinearHead(2, 2))
    network.head.linear.weight.data = torch.eye(2)
    network.head.linear.bias.data.zero_()
    defense = MarginSeparation(margin=2.0, alpha=3.0)
    defense.head(2, 2)
    images = torch.tensor([[[[3.0, 0.0]]], [[[0.0, 1.0]]]])
    terms = defense.loss(network, batch_of(images, [0, 1]))
    # Leads of 3 and 1 count as 1 and -1; two orthogonal prototypes shall have cosine -1.
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2
    assert terms["cross_entropy"].item() == pytest.approx(expected, rel=1e-5)
    assert terms["inter"].item() == pytest.approx(3 * 2, rel=1e-5)


def test_without_both_it_is_adversarial_training(batch):
    defense = MarginSeparation(margin=0.0, alpha=0.0)
    network = network_for(defense)
    terms = defense.loss(network, batch)
    theirs = AdversarialTraining().loss(network, batch)
    torch.testing.assert_close(terms["cross_entropy"], theirs["cross_entropy"])
    assert terms["inter"].item() == 0


def test_the_margin_is_not_in_what_the_attack_climbs(batch):
    attack = PGD(ball=Linf(0.1), step_size=0.05, steps=3, random_start=False)
    plain = MarginSeparation(margin=0.0, attack=attack)
    wide = MarginSeparation(margin=9.0, attack=attack)
    network = network_for(plain)
    wide.head(8, 5)
    assert torch.equal(plain.perturb(network, batch), wide.perturb(network, batch))


def test_pairs_are_held_apart_further(batch):
    defense = MarginSeparation(margin=0.0, pairs=PAIRS, zeta=0.2)
    network = network_for(defense)
    optimizer = torch.optim.SGD(network.head.parameters(), lr=0.05, momentum=0.9)
    for _ in range(400):
        optimizer.zero_grad()
        defense.loss(network, batch)["inter"].backward()
        optimizer.step()
    torch.testing.assert_close(
        network.head.cosines(), target_cosines(5, PAIRS, 0.2).float(), atol=1e-3, rtol=0
    )


def test_pairs_are_found_among_the_adversaries(batch):
    defense = MarginSeparation(pairs="warm_up", warm_up_epochs=1)
    network = network_for(defense)
    defense.loss(network, batch)
    assert defense.separation.counts.sum() == 10
    assert "pairs" in defense.log()
    batch.epoch = 1
    defense.loss(network, batch)
    assert defense.separation.counts.sum() == 10


def test_large_logits_stay_finite(batch_of):
    network = Network(nn.Flatten(), LinearHead(2, 2))
    defense = MarginSeparation()
    defense.head(2, 2)
    images = torch.tensor([[[[1e5, -1e5]]]])
    sum(defense.loss(network, batch_of(images, [1])).values()).backward()
    assert network.head.linear.weight.grad.isfinite().all()


def test_unfit_options_are_refused_in_one_line():
    with pytest.raises(ValueError, match="MarginSeparation: option 'margin'"):
        MarginSeparation(margin=-1.0)


def test_fair_weights_change_the_first_term_after_the_warm_up(batch):
    defense, plain = MarginSeparation(fairness=1.0, warm_up_epochs=1), MarginSeparation()
    network = network_for(defense)
    network_for(plain)
    early = defense.loss(network, batch)
    assert early["cross_entropy"] == plain.loss(network, batch)["cross_entropy"]
    batch.epoch = 1
    late, even = (made.loss(network, batch) for made in (defense, plain))
    assert late["inter"] == even["inter"] and late["cross_entropy"] != even["cross_entropy"]
    with torch.no_grad():
        logits = network(batch.adversarial)
        counts = torch.zeros(5, 5)
        for label, said in zip(batch.labels, logits.argmax(dim=1), strict=True):
            counts[label, said] += 1
        logits[torch.arange(10), batch.labels] -= 2
        losses = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
        weights = fair_weights(counts / counts.sum(dim=1, keepdim=True), 1.0)
    expected = (weights[batch.labels] * losses).mean()
    assert late["cross_entropy"].item() == pytest.approx(expected.item(), rel=1e-5)
