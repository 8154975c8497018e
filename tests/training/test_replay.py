import json

import numpy as np
import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.training.fault import TENSORS
from classward.training.replay import replay
from classward.training.schedule import Recipe
from classward.training.train import train

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=2)
RECIPE = Recipe(epochs=2, batch_size=8, validation=0, warm_up=0.9, augment=True)
SEEN = []  # what the loss was given, in the training and in the replay


class Failing(AdversarialTraining):
    """Adds a term that is not a number from some step on."""

    def loss(self, network, batch):
        terms = super().loss(network, batch)
        SEEN.append((batch, terms["cross_entropy"].item(), np.random.random()))  # noqa: NPY002
        zero = 0 * network.head.prototypes().sum()
        return terms | {"failing": zero + (torch.nan if batch.step == 5 else 0.0)}


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), nn.Dropout(), nn.ReLU()]
        return Network(nn.Sequential(*layers), LinearHead(12, 3))


@pytest.fixture
def fault(tmp_path):
    SEEN.clear()
    images = torch.rand(32, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    data = Split(images, torch.arange(32) % 3, ids=torch.arange(32) + 100)
    out = tmp_path / "run"
    with pytest.raises(InputError, match="loss is not finite in epoch 2, step 6"):
        train(Failing(attack=ATTACK), network(), data, recipe=RECIPE, out=out)
    return out


def test_one_call_takes_the_same_step_again(fault):
    then, loss, number = SEEN[-1]
    found = replay(fault, Failing(attack=ATTACK), network())
    again, loss_again, number_again = SEEN[-1]
    assert len(SEEN) == 7
    assert torch.equal(again.adversarial, then.adversarial)
    assert torch.equal(again.images, then.images) and torch.equal(again.ids, then.ids)
    assert (loss_again, number_again) == (loss, number)
    assert (again.epoch, again.step) == (then.epoch, then.step)
    assert found["cross_entropy"] == loss and np.isnan(found["failing"])


def test_attack_of_the_call_is_given_again(fault):
    other = PGD(ball=Linf(0.1), step_size=0.05, steps=3)
    then = SEEN[-1][0].adversarial
    replay(fault, Failing(attack=ATTACK), network(), attack=other)
    assert not torch.equal(SEEN[-1][0].adversarial, then)


def test_another_network_is_refused(fault):
    wider = network()
    wider.features[1] = nn.Linear(16, 13)
    with pytest.raises(InputError, match="does not fit the network"):
        replay(fault, Failing(attack=ATTACK), wider)


def test_damaged_or_absent_bundle_is_named(fault):
    bundle = fault / TENSORS
    bundle.write_bytes(bundle.read_bytes()[:100])
    with pytest.raises(InputError, match="absent or damaged"):
        replay(fault, Failing(attack=ATTACK), network())
    bundle.unlink()
    with pytest.raises(InputError, match="absent or damaged"):
        replay(fault, Failing(attack=ATTACK), network())


def test_what_is_told_is_plain_json(fault):
    told = json.loads((fault / "fault.json").read_text(), parse_constant=pytest.fail)
    assert told["schedule"] == {"progress": 5 / 8, "collapsed": False}
