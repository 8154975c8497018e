"""The real ones, where they are installed (extra `peers`)."""

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.data.split import Split
from classward.evaluation.adapters.adapt import adapt
from classward.evaluation.run_attack import run_attack

EPS = 0.02
BALL = Linf(EPS)


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
        return nn.Sequential(*layers).eval()


def data(n=40):
    images = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = network()(images).argmax(1)
    return Split(images, labels, list("0123456789"))


def other():
    """What the attack is made with, and must not attack."""
    return network(7)


def assert_as_strong_as_ours(attack):
    ours = run_attack(network(), PGD(ball=BALL, step_size=EPS / 4, steps=10), data())
    model, adapted = network(), adapt(attack, ball=BALL)
    before = repr(adapted)
    made = run_attack(model, adapted, data())
    assert abs(made.robust_accuracy - ours.robust_accuracy) <= 0.05
    assert made.passes.backward >= 400 and repr(adapted) == before
    assert all(p.grad is None for p in model.parameters())
    split = data()
    targets = (split.labels + 1) % 10
    aimed = run_attack(model, adapted, split, targets=targets)
    assert aimed.success.float().mean() > 0.02 and repr(adapted) == before


def assert_runs(attack, ball):
    model = network()
    made = run_attack(model, adapt(attack, ball=ball), data())
    assert made.robust_accuracy < 0.6 and made.passes.forward > 120
    assert all(p.grad is None for p in model.parameters())


class TestTorchattacks:
    def test_pgd(self):
        peer = pytest.importorskip("torchattacks")
        assert_as_strong_as_ours(peer.PGD(other(), eps=EPS, alpha=EPS / 4, steps=10))

    def test_those_that_leave_gradients_or_are_made_of_others(self):
        peer = pytest.importorskip("torchattacks")
        assert_runs(peer.CW(other(), steps=20), None)
        assert_runs(peer.DeepFool(other(), steps=5), None)
        parts = [peer.FGSM(other(), eps=EPS), peer.PGD(other(), eps=EPS, alpha=EPS / 4)]
        model = parts[0].model
        parts[1].set_model(model)
        assert_runs(peer.MultiAttack(parts), BALL)
        assert parts[0].model is model and parts[1].model is model


class TestFoolbox:
    def test_pgd(self):
        peer = pytest.importorskip("foolbox")
        assert_as_strong_as_ours(peer.attacks.LinfPGD(rel_stepsize=0.25, steps=10))

    def test_one_without_a_radius(self):
        peer = pytest.importorskip("foolbox")
        assert_runs(peer.attacks.L2DeepFoolAttack(), None)


def estimator():
    from art.estimators.classification import PyTorchClassifier

    loss = nn.CrossEntropyLoss()
    return PyTorchClassifier(other(), loss, (1, 8, 8), 10, clip_values=(0, 1))


class TestART:
    def test_pgd(self):
        peer = pytest.importorskip("art.attacks.evasion")
        options = {"eps": EPS, "eps_step": EPS / 4, "max_iter": 10, "verbose": False}
        assert_as_strong_as_ours(peer.ProjectedGradientDescent(estimator(), **options))

    def test_one_without_a_radius(self):
        peer = pytest.importorskip("art.attacks.evasion")
        assert_runs(peer.DeepFool(estimator(), max_iter=10, verbose=False), None)
