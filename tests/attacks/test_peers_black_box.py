"""Our black-box attacks beside those of ART and torchattacks, on one network and its images.

Of the four, ART alone has one (SimBA); SPSA of torchattacks estimates gradients as NES does.
Where a peer has a known fault, it is not ours to copy: a test names it and shows it.
Needs the extra `peers`, and torchattacks installed with --no-deps.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from classward.attacks.nes import NES
from classward.attacks.simba import SimBA
from classward.core.balls import L2, Linf
from classward.core.randomness import SampleRandom
from classward.data.load import load_data
from classward.evaluation.oracle import CountingOracle

SAMPLES, DIRECTIONS = 40, 120


@pytest.fixture(scope="module")
def digits():
    """A network of two layers, and test digits of half the contrast that it gets right."""
    train, test = load_data("digits", split="train"), load_data("digits", split="test")
    images = 0.25 + 0.5 * train.batch(torch.arange(len(train)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        adam.zero_grad()
        cross_entropy(model(images), train.labels).backward()
        adam.step()
    images = 0.25 + 0.5 * test.batch(torch.arange(len(test)))
    right = (model(images).argmax(1) == test.labels).nonzero().flatten()[:SAMPLES]
    return SimpleNamespace(model=model.eval(), images=images[right], labels=test.labels[right])


def ours(attack, given):
    asked = CountingOracle(given.model, SAMPLES, attack.queries, decisions=False)
    rng = SampleRandom(0, "peers", torch.arange(SAMPLES))
    return attack(asked, given.images, given.labels, rng=rng), asked.spent


def art_simba(given, space):
    """ART's SimBA on probabilities, as it wants them; it writes into what it is given."""
    evasion = pytest.importorskip("art.attacks.evasion")
    estimators = pytest.importorskip("art.estimators.classification")
    classifier = estimators.PyTorchClassifier(
        nn.Sequential(given.model, nn.Softmax(1)),
        loss=nn.NLLLoss(),
        input_shape=(1, 8, 8),
        nb_classes=10,
        clip_values=(0.0, 1.0),
    )
    attack = evasion.SimBA(
        classifier, attack=space, max_iter=DIRECTIONS, epsilon=0.2, freq_dim=8, verbose=False
    )
    hot = nn.functional.one_hot(given.labels, 10).numpy()
    return torch.from_numpy(attack.generate(given.images.numpy().copy(), hot))


def outcome(given, made):
    fell = given.model(made).argmax(1) != given.labels
    return fell, (made - given.images).flatten(1).norm(dim=1)


@pytest.mark.parametrize(("space", "theirs"), [("pixel", "px"), ("dct", "dct")])
def test_simba_is_as_strong_as_arts_for_less(digits, space, theirs):
    chosen = SimBA(ball=L2(100.0), space=space, queries=1 + 2 * DIRECTIONS)
    made, spent = ours(chosen, digits)
    fell, far = outcome(digits, made)
    fell_there, far_there = outcome(digits, art_simba(digits, theirs))
    assert (fell == fell_there).float().mean() >= 0.9 and fell.float().mean() > 0.5
    both = fell & fell_there
    assert far[both].mean().item() == pytest.approx(far_there[both].mean().item(), rel=0.25)
    assert (spent <= 1 + 2 * DIRECTIONS).all()


def test_arts_simba_stands_still_on_a_confident_network_and_ours_does_not(digits):
    """Fault: probabilities in float32 are exactly 1, so no step ever lowers them."""
    confident = SimpleNamespace(
        model=nn.Sequential(digits.model, Scaled(8.0)).eval(),
        images=digits.images,
        labels=digits.labels,
    )
    chosen = SimBA(ball=L2(100.0), queries=1 + 2 * DIRECTIONS)
    fell, _ = outcome(confident, ours(chosen, confident)[0])
    fell_there, far_there = outcome(confident, art_simba(confident, "px"))
    stuck = ~fell_there & (far_there == 0)
    assert stuck.sum() > 5 and fell[stuck].float().mean() > 0.9


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, logits):
        return self.scale * logits


def test_nes_is_no_weaker_than_spsa_of_torchattacks(digits):
    torchattacks = pytest.importorskip("torchattacks")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spsa = torchattacks.SPSA(
            digits.model, eps=0.1, delta=0.01, nb_iter=10, nb_sample=64, max_batch_size=64
        )
        there, _ = outcome(digits, spsa(digits.images, digits.labels))
    here, _ = outcome(digits, ours(NES(ball=Linf(0.1), queries=1500), digits)[0])
    assert here.float().mean() >= there.float().mean() - 0.05 and here.any()
