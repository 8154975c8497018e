"""Attacks with the interfaces of others, and none of them installed."""

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import classward
from classward.core.balls import L2, Linf
from classward.core.errors import InputError, InvariantError
from classward.core.randomness import SampleRandom
from classward.data.split import Split
from classward.evaluation.adapters.adapt import adapt
from classward.evaluation.gradient_models import straight_through
from classward.evaluation.run_attack import run_attack

EPS = 0.25


def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)).eval()


def data(n=20):
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(images, network()(images).argmax(1), list("abcd"))


def ascended(model, images, labels, sign=1, eps=EPS):
    """One signed step by `backward`, as most do it: gradients pile up on the weights."""
    leaf = images.clone().requires_grad_()
    nn.functional.cross_entropy(model(leaf), labels).backward(retain_graph=True)
    return (images + sign * eps * leaf.grad.sign()).clamp(0, 1).detach()


class FakeTorchattack:
    """The interface of torchattacks.Attack, of which the base class is the only thing used."""

    __module__ = "torchattacks.attacks.fgsm"
    supported = True

    def __init__(self, model, eps=EPS):
        self.model, self.eps, self.device = model, eps, "wrong"
        self.attack_mode, self.targeted, self.normalization_used = "default", False, None
        self._attacks, self._target_map_function = {}, None

    def set_model(self, model):
        self.model, self.model_name = model, type(model).__name__
        for inner in self._attacks.values():
            inner.set_model(model)

    def set_device(self, device):
        self.device = device
        for inner in self._attacks.values():
            inner.set_device(device)

    def set_mode_targeted_by_label(self, quiet=False):
        if not self.supported:
            raise ValueError("Targeted mode is not supported.")
        self.attack_mode, self.targeted = "targeted(label)", True

    def __call__(self, inputs, labels):
        assert not self.model.training and next(self.model.parameters()).device == self.device
        print("Attack mode is changed")  # noqa: T201
        if self._attacks:
            return self._attacks["inner"](inputs, labels)
        return ascended(self.model, inputs, labels, -1 if self.targeted else 1, self.eps)


class FakeFoolbox:
    __module__ = "foolbox.attacks.fast_gradient_method"

    def __init__(self, steps=1):
        self.steps = steps

    def __call__(self, model, inputs, criterion, *, epsilons):
        kind, classes = criterion
        assert model.bounds == (0, 1)
        sign = {"off": 1, "on": -1}[kind]
        raw = ascended(model.module, inputs, classes, sign, 2 * (epsilons or 0.2))
        clipped = (
            raw if epsilons is None else inputs + (raw - inputs).clamp(-epsilons, epsilons)
        )
        return raw, clipped, torch.ones(len(inputs), dtype=torch.bool)


@pytest.fixture
def foolbox(monkeypatch):
    made = ModuleType("foolbox")
    made.PyTorchModel = lambda module, bounds, device: SimpleNamespace(
        module=module, bounds=bounds, device=device
    )
    made.criteria = SimpleNamespace(
        Misclassification=lambda labels: ("off", labels),
        TargetedMisclassification=lambda targets: ("on", targets),
    )
    monkeypatch.setitem(sys.modules, "foolbox", made)


class FakeEstimator:
    def __init__(self, model, clip_values=(0.0, 1.0), mean=0.0):
        self._model = nn.Module()
        self._model._model = model
        self.clip_values, self.mean = clip_values, mean

    def _apply_preprocessing(self, x, y, fit):
        return x - np.float32(self.mean), y


class FakeArt:
    __module__ = "art.attacks.evasion.fast_gradient"
    attack_params = ("eps", "targeted")

    def __init__(self, estimator, eps=EPS, norm=np.inf, targeted=False):
        self.estimator, self.eps, self.norm, self.targeted = estimator, eps, norm, targeted

    def set_params(self, targeted):
        self.targeted = targeted

    def generate(self, x, y):
        assert isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
        asked, sign = self.estimator._model._model, -1 if self.targeted else 1
        images, labels = torch.from_numpy(x), torch.from_numpy(y)
        return ascended(asked, images, labels, sign).numpy().astype(np.float64)


def signed(model, images, labels, eps=EPS):
    return ascended(model, images, labels, 1, eps)


def other():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).train()


MAKERS = {
    "torchattacks": lambda: FakeTorchattack(other()),
    "foolbox": FakeFoolbox,
    "art": lambda: FakeArt(FakeEstimator(other())),
    "function": lambda: signed,
    "partial": lambda: partial(signed, eps=EPS),
}
every_peer = pytest.mark.parametrize("peer", MAKERS)


@pytest.fixture(autouse=True)
def _apart(foolbox, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@every_peer
class TestEvery:
    def test_attacks_the_model_of_the_run(self, peer):
        model, attack = network(), MAKERS[peer]()
        wanted = run_attack(model, adapt(signed, ball=Linf(EPS)), data())
        made = run_attack(model, adapt(attack, ball=Linf(EPS)), data())
        assert torch.equal(made.predictions, wanted.predictions)
        assert made.robust_accuracy < 0.6 < made.clean_accuracy
        assert made.passes.to_dict() == {"forward": 60, "backward": 20}, "it is watched"
        assert made.settings["eps"] == EPS and made.settings["norm"] == "linf"
        assert all(p.grad is None and p.requires_grad for p in model.parameters())

    def test_follows_the_gradient_model(self, peer):
        def rounded(images):
            return (images * 4).round() / 4

        def defended(images):
            return network()(rounded(images))

        attack = adapt(MAKERS[peer](), ball=Linf(EPS))
        blind = run_attack(defended, attack, data())
        model = straight_through(network(), rounded)
        seeing = run_attack(defended, attack, data(), gradient_model=model)
        assert (blind.linf == 0).all() and (seeing.linf > 0).all()

    def test_keeps_its_attack_and_the_global_random_state_as_they_were(self, peer):
        attack = MAKERS[peer]()
        states = torch.get_rng_state(), dict(getattr(attack, "__dict__", {}))
        before = repr(adapt(attack, ball=Linf(EPS)))
        run_attack(network(), adapt(attack, ball=Linf(EPS)), data())
        assert torch.equal(torch.get_rng_state(), states[0])
        assert dict(getattr(attack, "__dict__", {})) == states[1]
        assert repr(adapt(attack, ball=Linf(EPS))) == before and " at 0x" not in before

    def test_what_leaves_the_stated_ball_is_told(self, peer):
        attack = MAKERS[peer]()
        if hasattr(attack, "eps"):
            del attack.eps  # it does not say itself
        if peer == "foolbox":
            attack.__class__ = type("Loose", (FakeFoolbox,), {
                "__call__": lambda self, model, inputs, criterion, epsilons: (
                    inputs, (inputs + 0.2).clamp(0, 1), True),
                "__module__": "foolbox.attacks",
            })  # fmt: skip
        if peer == "torchattacks":
            attack.eps = True
        with pytest.raises(InvariantError, match=rf"{adapt(attack, ball=None).name} left Linf"):
            run_attack(network(), adapt(attack, ball=Linf(0.05)), data())

    def test_a_loss_is_refused(self, peer):
        with pytest.raises(InputError, match="loss of its own"):
            run_attack(
                network(),
                adapt(MAKERS[peer](), ball=Linf(EPS)),
                data(),
                loss=nn.functional.cross_entropy,
            )

    def test_targets_are_aimed_at_or_refused(self, peer):
        split, attack = data(), MAKERS[peer]()
        targets = (split.labels + 1) % 4
        adapted = adapt(attack, ball=Linf(EPS))
        if peer in ("function", "partial"):
            with pytest.raises(InputError, match="takes no targets"):
                run_attack(network(), adapted, split, targets=targets)
            return
        before = dict(vars(attack))
        made = run_attack(network(), adapted, split, targets=targets)
        clean, after = made.clean_logits, made.adversarial_logits
        rows = torch.arange(20)
        rise = (after.softmax(1) - clean.softmax(1))[rows, targets]
        assert (rise > 0).float().mean() > 0.9
        assert vars(attack) == before


def test_a_claim_of_success_is_not_heard():
    class Liar(FakeFoolbox):
        def __call__(self, model, inputs, criterion, *, epsilons):
            return inputs, inputs, torch.ones(len(inputs), dtype=torch.bool)

    made = run_attack(network(), adapt(Liar(), ball=Linf(EPS)), data())
    assert made.robust_accuracy == made.clean_accuracy and not made.success.any()


def test_nothing_is_printed_on_standard_output(capsys):
    run_attack(network(), adapt(FakeTorchattack(other()), ball=Linf(EPS)), data())
    assert capsys.readouterr().out == ""


def test_attacks_within_an_attack_get_the_model_too():
    outer, inner = FakeTorchattack(other()), FakeTorchattack(other())
    outer._attacks["inner"], before = inner, inner.model
    made = run_attack(network(), adapt(outer, ball=Linf(EPS)), data())
    wanted = run_attack(network(), adapt(signed, ball=Linf(EPS)), data())
    assert torch.equal(made.predictions, wanted.predictions) and inner.model is before


def test_random_numbers_are_those_of_seed_and_restart():
    def noise(model, images, labels):
        drawn = torch.rand_like(images) + torch.from_numpy(np.random.rand(*images.shape))  # noqa: NPY002
        return (images + 0.05 * drawn.float()).clamp(0, 1)

    def run(**more):
        asked = {"save_images": True, **more}
        return run_attack(network(), adapt(noise, ball=Linf(EPS)), data(), **asked).images

    assert torch.equal(run(), run())
    assert not torch.equal(run(), run(seed=1))
    images, labels = torch.zeros(2, 1, 4, 4), torch.zeros(2).long()
    first, second = (
        adapt(noise, ball=None)(
            network(), images, labels, rng=SampleRandom(0, "test", torch.arange(2), restart)
        )
        for restart in range(2)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("attack", "ball", "said"),
    [
        (FakeTorchattack(None, eps=0.1), Linf(0.2), "eps 0.1, the ball 0.2: make them equal"),
        (FakeTorchattack(None, eps=0.2), Linf(0.1), "eps 0.2, the ball 0.1"),
        (FakeArt(None, norm=2), Linf(EPS), "norm l2, the ball linf"),
        (FakeArt(None), L2(EPS), "norm linf, the ball l2"),
        ("pgd", None, "str is no attack: give one of torchattacks"),
    ],
)
def test_what_cannot_be_adapted_is_refused(attack, ball, said):
    with pytest.raises(InputError, match=said):
        adapt(attack, ball=ball)


def normalised():
    attack = FakeTorchattack(other())
    attack.normalization_used = {"mean": 0.5}
    return attack


def by_label():
    attack = FakeTorchattack(other())
    attack.set_mode_targeted_by_label()
    return attack


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (normalised, "normalises: do not set_normalization_used"),
        (by_label, "takes labels for targets: set_mode_default"),
        (lambda: FakeArt(FakeEstimator(other()), targeted=True), "make it with targeted=False"),
        (lambda: FakeArt(FakeEstimator(other(), clip_values=None)), r"clip_values=\(0, 1\)"),
        (lambda: FakeArt(FakeEstimator(other(), (0, 255))), r"clip_values=\(0, 1\)"),
        (lambda: FakeArt(FakeEstimator(other(), mean=0.5)), "changes the images first"),
        (lambda: FakeArt(SimpleNamespace()), "needs a PyTorchClassifier"),
    ],
)
def test_a_known_pitfall_is_refused(attack, said):
    with pytest.raises(InputError, match=said) as caught:
        run_attack(network(), adapt(attack(), ball=Linf(EPS)), data())
    assert len(str(caught.value)) < 200


def test_an_empty_batch_asks_nothing():
    ids = torch.zeros(0).long()
    made = adapt(signed, ball=None)(
        network(), torch.zeros(0, 1, 4, 4), ids, rng=SampleRandom(0, "test", ids)
    )
    assert made.shape == (0, 1, 4, 4)


def test_is_found_at_the_top():
    assert classward.adapt is adapt
