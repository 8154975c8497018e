"""Promises every defense keeps; a new file in defenses/ is tested here without being listed."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn

import classward.defenses
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.losses import LOSSES
from classward.core.randomness import SampleRandom
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Batch, Defense
from classward.models.heads import Head
from classward.models.network import Network
from classward.training.step import Step

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=3)


def methods():
    for info in pkgutil.iter_modules(classward.defenses.__path__):
        module = importlib.import_module(f"classward.defenses.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__
            if own and issubclass(cls, Defense) and not inspect.isabstract(cls):
                yield pytest.param(cls, id=cls.__name__)


def make(method, classes):
    """What the data decide is given; every other option has a default."""
    given = {
        "attack": ATTACK,
        "pairs": [(0, 1)] if classes > 2 else [],
        "defense": AdversarialTraining(attack=ATTACK),
    }
    names = inspect.signature(method).parameters.keys()
    return method(**{name: value for name, value in given.items() if name in names})


def test_a_defense_that_names_no_adaptive_losses_is_refused():
    with pytest.raises(TypeError, match="Careless names no adaptive_losses"):

        class Careless(Defense):
            def loss(self, network, batch):
                return {}


@pytest.mark.parametrize("method", [*methods()])
def test_adaptive_losses_are_losses_of_logits(method):
    logits, labels = torch.randn(6, 5), torch.arange(6) % 5
    for name in method.adaptive_losses:
        assert LOSSES[name](logits, labels).shape == (6,)


def network_for(defense, classes, *, norm=True):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = [nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU()]
        features = nn.Sequential(*(layers if norm else layers[:2] + layers[3:]))
        return Network(features, defense.head(8, classes)).train()


def samples(ids=range(6), classes=3):
    ids = torch.tensor(list(ids))
    images = torch.rand(6, 3, 2, 2, generator=torch.Generator().manual_seed(2))[ids]
    return Batch(
        images=images,
        labels=ids % classes,
        ids=ids,
        adversarial=images,
        epoch=1,  # the first may be on clean images
        step=0,
        rng=SampleRandom(0, "test", ids),
    )


def global_states():
    """Python's generator is left out: the run-time type checks draw from it."""
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    return torch.get_rng_state().tolist(), numpy["state"]["key"].tolist(), numpy["state"]["pos"]


def gradients(network, defense, batch):
    terms = Step(network, defense)(batch)
    torch.stack([*terms.values()]).sum().backward()
    return terms, [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("method", list(methods()))
class TestDefense:
    def test_shows_every_option(self, method):
        defense = make(method, 3)
        for name in inspect.signature(method).parameters:
            assert f"{name}={getattr(defense, name)!r}" in repr(defense)

    @pytest.mark.parametrize("classes", [2, 3, 10])
    def test_builds_a_head(self, method, classes):
        head = make(method, classes).head(8, classes)
        assert isinstance(head, Head)
        assert len(head.prototypes()) == classes and head.features == 8
        assert head(torch.rand(4, 8)).shape == (4, classes)

    @pytest.mark.parametrize("classes", [2, 3, 10])
    def test_loss_is_finite_scalars_with_finite_gradients(self, method, classes):
        defense = make(method, classes)
        network = network_for(defense, classes)
        terms, grads = gradients(network, defense, samples(classes=classes))
        assert terms and all(isinstance(name, str) for name in terms)
        assert all(term.shape == () and term.isfinite() for term in terms.values())
        assert grads and all(grad.isfinite().all() for grad in grads)
        assert any(grad.abs().sum() > 0 for grad in grads)

    def test_stays_finite_far_from_sensible_weights(self, method):
        defense = make(method, 3)
        network = network_for(defense, 3)
        with torch.no_grad():
            for weight in network.features.parameters():
                weight *= 1000
        terms, grads = gradients(network, defense, samples())
        assert all(term.isfinite() for term in terms.values())
        assert all(grad.isfinite().all() for grad in grads)

    def test_takes_a_batch_of_one_image(self, method):
        defense = make(method, 3)
        network = network_for(defense, 3, norm=False)
        terms, _ = gradients(network, defense, samples([4]))
        assert all(term.isfinite() for term in terms.values())

    def test_perturbs_within_ball_and_box(self, method):
        defense, batch = make(method, 3), samples()
        out = defense.perturb(network_for(defense, 3), batch)
        assert out.shape == batch.images.shape and out.dtype == batch.images.dtype
        assert 0 <= out.min() and out.max() <= 1
        assert (ATTACK.ball.distance(out, batch.images) <= ATTACK.ball.eps + 1e-6).all()
        assert (not torch.equal(out, batch.images)) == defense.attacked

    def test_perturb_leaves_everything_as_it_was(self, method):
        defense, batch = make(method, 3), samples()
        network = network_for(defense, 3)
        clean = batch.images.clone()
        state = {name: rows.clone() for name, rows in network.state_dict().items()}
        out = defense.perturb(network, batch)
        assert not out.requires_grad
        assert torch.equal(batch.images, clean)
        assert all(
            torch.equal(rows, state[name]) for name, rows in network.state_dict().items()
        )
        assert all(p.grad is None and p.requires_grad for p in network.parameters())
        assert all(layer.training for layer in network.modules())

    def test_perturb_depends_on_the_sample_alone(self, method):
        defense = make(method, 3)
        network = network_for(defense, 3)
        whole = defense.perturb(network, samples())
        assert torch.equal(defense.perturb(network, samples()), whole)
        alone = defense.perturb(network, samples([5, 2]))
        torch.testing.assert_close(alone, whole[[5, 2]])

    def test_uses_no_global_generator(self, method):
        defense = make(method, 3)
        network = network_for(defense, 3)
        before = global_states()
        Step(network, defense)(samples())
        assert global_states() == before, "a global generator was used"

    def test_leaves_the_batch_as_it_was(self, method):
        defense, batch = make(method, 3), samples()
        before = [batch.images.clone(), batch.labels.clone(), batch.ids.clone()]
        Step(network_for(defense, 3), defense)(batch)
        after = [batch.images, batch.labels, batch.ids]
        assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))

    def test_lowers_its_loss(self, method):
        defense = make(method, 3)
        step = Step(network_for(defense, 3), defense)
        optimizer = torch.optim.SGD(step.parameters(), lr=0.05, momentum=0.9)
        losses = []
        for _ in range(40):
            loss = torch.stack([*step(samples()).values()]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.85 * losses[0]


def test_every_file_of_the_folder_holds_a_defense():
    names = {info.name for info in pkgutil.iter_modules(classward.defenses.__path__)}
    found = {param.values[0].__module__.split(".")[-1] for param in methods()}
    assert found == names - {"base"}
