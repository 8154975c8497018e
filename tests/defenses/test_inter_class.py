from dataclasses import replace

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.cosines import target_cosines
from classward.core.randomness import SampleRandom
from classward.defenses.hypersphere_embedding import HypersphereEmbedding
from classward.defenses.inter_class import InterClass
from classward.defenses.max_mahalanobis import MaxMahalanobis
from classward.defenses.pcl import Pcl
from classward.defenses.standard import Standard
from classward.defenses.symmetry_aware import SymmetryAware
from classward.defenses.trades import Trades
from classward.defenses.weight_penalization import WeightPenalization
from classward.models.network import Network

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=2)
PAIRS = [(1, 3), (0, 4)]


@pytest.fixture
def batch(batch_of):
    generator = torch.Generator().manual_seed(0)
    clean, adversarial = torch.rand(2, 10, 3, 2, 2, generator=generator)
    return batch_of(clean, [i % 5 for i in range(10)], adversarial)


def network_for(defense):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Network(nn.Sequential(nn.Flatten(), nn.Linear(12, 8)), defense.head(8, 5))


@pytest.mark.parametrize(
    "other", [Trades(), Standard(), HypersphereEmbedding(), WeightPenalization()], ids=repr
)
def test_adds_the_term_to_every_head(other, batch):
    defense = InterClass(defense=other, pairs=PAIRS, alpha=3.0)
    network = network_for(defense)
    terms = defense.loss(network, batch)
    theirs = other.loss(network, batch)
    for name, term in theirs.items():
        torch.testing.assert_close(terms[f"defense.{name}"], term)
    assert set(terms) == {f"defense.{name}" for name in theirs} | {"inter"}
    unit = nn.functional.normalize(network.head.prototypes(), dim=1)
    sigma = target_cosines(5, PAIRS, 0.1)
    residuals = [[unit[i] @ unit[j] - sigma[i, j] for j in range(5)] for i in range(5)]
    expected = 3 * sum(r.item() ** 2 for row in residuals for r in row)
    assert terms["inter"].item() == pytest.approx(expected, rel=1e-5)


def test_trained_alone_the_term_reaches_the_cosines(batch):
    defense = InterClass(defense=Standard(), pairs=PAIRS)
    network = network_for(defense)
    optimizer = torch.optim.SGD(network.head.parameters(), lr=0.05, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        defense.loss(network, batch)["inter"].backward()
        optimizer.step()
    sigma = target_cosines(5, PAIRS, 0.1).float()
    torch.testing.assert_close(network.head.cosines(), sigma, atol=1e-2, rtol=0)


def rng(batch):
    return SampleRandom(0, "train", batch.ids)


def test_is_the_other_defense_in_all_else(batch):
    for other in (Trades(attack=ATTACK), Standard(), HypersphereEmbedding(attack=ATTACK)):
        defense = InterClass(defense=other, pairs=PAIRS)
        network = network_for(defense)
        assert type(network.head) is type(other.head(8, 5))
        assert defense.attacked == other.attacked
        assert defense.adaptive_losses == other.adaptive_losses
        assert defense.attack == other.attack
        made = [d.perturb(network, replace(batch, rng=rng(batch))) for d in (defense, other)]
        assert torch.equal(*made)


def test_the_attack_set_on_it_is_the_one_used(batch):
    defense = InterClass(defense=Trades(attack=ATTACK), pairs=PAIRS)
    network = network_for(defense)
    defense.attack = PGD(ball=Linf(0.5), step_size=0.25, steps=2)
    change = (defense.perturb(network, batch) - batch.images).abs().max()
    assert 0.2 < change <= 0.5


def test_shows_itself_in_one_line():
    defense = InterClass(defense=Trades(beta=2.0), pairs=PAIRS)
    assert repr(defense).startswith("InterClass(defense=Trades(attack=None, beta=2.0), pairs=[")
    defense.head(8, 5)
    assert "\n" not in repr(defense) and repr(defense).endswith("warm_up_epochs=10)")


def test_finds_pairs_among_training_images(batch_of):
    defense = InterClass(defense=Standard(), pairs="warm_up", warm_up_epochs=1)
    network = Network(nn.Flatten(), defense.head(5, 5))
    network.head.linear.weight.data = torch.eye(5)
    network.head.linear.bias.data.zero_()
    swapped = torch.eye(5)[[1, 0, 2, 3, 4]].view(5, 1, 1, 5)
    given = batch_of(swapped, list(range(5)))
    defense.loss(network.train(), given)
    assert defense.log() == {"pairs": [[0, 1]]} and network.training
    given.epoch = 1
    inter = defense.loss(network, given)["inter"].item()
    sigma = target_cosines(5, [(0, 1)], 0.1).float()
    assert inter == pytest.approx(2 * (torch.eye(5) - sigma).square().sum().item())
    assert defense.separation.counts.sum() == 5


def test_logs_what_the_other_logs():
    other = SymmetryAware(pairs="warm_up")
    defense = InterClass(defense=other, pairs=[])
    network_for(defense)
    assert defense.log() == {"pairs": []}


@pytest.mark.parametrize(
    "other", [MaxMahalanobis(), SymmetryAware(pairs=[], prototypes="fixed")], ids=repr
)
def test_prototypes_that_are_not_trained_are_refused(other):
    defense = InterClass(defense=other, pairs=[])
    with pytest.raises(ValueError, match=f"{type(other).__name__} are fixed"):
        defense.head(8, 5)


def test_gradients_are_those_of_differences():
    defense = InterClass(defense=Pcl(), pairs=PAIRS)
    head = network_for(InterClass(defense=Standard(), pairs=PAIRS)).head.double()
    separation = network_for(defense) and defense.separation
    weight = head.prototypes().detach().clone()
    for given in (weight, weight[[0, 0, 2, 3, 4]]):

        def inter(w):
            unit = nn.functional.normalize(w, dim=1)
            cosines = unit @ unit.T
            return (cosines - separation(cosines, 0)).square().sum()

        assert torch.autograd.gradcheck(inter, given.requires_grad_())
