"""The ladder: a stronger attack leaves no more standing than a weaker one, on real networks.

An inversion means that one of the two attacks is broken, or that the network hides gradients.
"""

from dataclasses import fields
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import classward.attacks
from classward.attacks.bim import BIM
from classward.attacks.fgsm import FGSM
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.attacks.rfgsm import RFGSM
from classward.core.balls import L2, Linf
from classward.core.methods import methods
from classward.data.load import load_data
from classward.evaluation.run_attack import run_attack
from classward.models.load import load_model
from classward.models.normalize import Normalize
from classward.models.small_cnn import small_cnn
from classward.models.weights import fill, read_weights

BLACK_BOX = {
    name: method
    for name, method in methods(classward.attacks).items()
    if method.access != "gradient"
    and not method.needs
    and {"ball", "queries"} <= {field.name for field in fields(method)}
}


@cache
def trained(seed):
    """A small network for digits; another seed makes another one."""
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = small_cnn()
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(seed)
    for _ in range(8):
        for rows in torch.randperm(len(data), generator=order).split(100):
            adam.zero_grad()
            cross_entropy(model(images[rows]), data.labels[rows]).backward()
            adam.step()
    return model.eval()


def adversarial(file):
    """An adversarially trained network of two convolutions."""
    convolutions = nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()
    network = nn.Sequential(
        *convolutions, nn.Flatten(), nn.Linear(2048, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    fill(network, read_weights(file))
    return nn.Sequential(Normalize([0.485, 0.456, 0.406], [0.225] * 3), network).eval()


@pytest.fixture(
    params=[
        "digits",
        pytest.param("cifar10 resnets", marks=pytest.mark.slow),
        pytest.param("cifar10 adversarial", marks=pytest.mark.slow),
    ],
)
def subject(request, real):
    """A network, another one for the same task, its data and a radius at which some fall."""
    if request.param == "digits":
        data = load_data("digits", split="test", samples=100)
        return SimpleNamespace(model=trained(0), other=trained(1), data=data, eps=0.1)
    folder = real("cifar10.webp.zip")
    data = load_data("cifar10", split="test", samples=100, root=folder)
    if request.param == "cifar10 adversarial":
        model, other = (
            adversarial(real(file) / file)
            for file in (
                "models/cifar10_cnn_a_adv.safetensors",
                "models/cifar10_cnn_a_adv4.safetensors",
            )
        )
        return SimpleNamespace(model=model, other=other, data=data, eps=4 / 255)
    model, other = (
        load_model(name, weights=real(file) / file)
        for name, file in (
            ("resnet20", "models/cifar10_resnet20_std.safetensors"),
            ("resnet32", "models/cifar10_resnet32_std.safetensors"),
        )
    )
    return SimpleNamespace(model=model, other=other, data=data, eps=1 / 255)


def standing(subject, attack, **options):
    """Which samples withstand the attack, whichever iterate might have done."""
    options = {"until": "first_success"} | options
    return run_attack(subject.model, attack, subject.data, **options).robust


def assert_within(stronger, weaker):
    assert not (stronger & ~weaker).any(), "a sample withstands the stronger attack alone"


def assert_no_more(stronger, weaker):
    assert stronger.sum() <= weaker.sum()


def pgd(eps, **options):
    given = {"ball": Linf(eps), "step_size": eps / 4, "objective": "margin", "steps": 20}
    return PGD(**(given | options))


class TestLadder:
    def test_the_attack_and_the_network_are_neither_perfect(self, subject):
        left = standing(subject, pgd(subject.eps))
        clean = standing(subject, pgd(0.0, steps=1, step_size=1.0))
        assert 0 < left.sum() < clean.sum()

    def test_loops_are_no_weaker_than_one_step(self, subject):
        one, random = (standing(subject, a(ball=Linf(subject.eps))) for a in (FGSM, RFGSM))
        for loop in (
            BIM(ball=Linf(subject.eps), step_size=subject.eps / 4, steps=20),
            MIM(ball=Linf(subject.eps), step_size=subject.eps / 4, steps=20),
            pgd(subject.eps, objective="cross_entropy"),
        ):
            left = standing(subject, loop)
            assert_no_more(left, one)
            assert_no_more(left, random)

    @pytest.mark.parametrize("objective", ["cross_entropy", "margin", "dlr", "kl"])
    def test_more_steps_never_hurt(self, subject, objective):
        before = None
        for steps in (4, 8, 20):
            left = standing(subject, pgd(subject.eps, steps=steps, objective=objective))
            assert before is None or not (left & ~before).any()
            before = left

    def test_more_restarts_never_hurt(self, subject):
        attack = pgd(subject.eps, steps=5)
        one, two, four = (standing(subject, attack, restarts=n) for n in (1, 2, 4))
        assert_within(two, one)
        assert_within(four, two)

    def test_the_best_iterate_is_no_weaker_than_the_last(self, subject):
        for objective in ("cross_entropy", "margin"):
            last = pgd(subject.eps, objective=objective)
            best = pgd(subject.eps, objective=objective, keep="best")
            left = standing(subject, best, until=None)
            assert_within(left, standing(subject, last, until=None))
            assert_within(standing(subject, best), left)

    def test_a_larger_radius_leaves_less_until_nothing_is_left(self, subject):
        radii = [subject.eps * factor for factor in (0, 0.25, 0.5, 1, 2, 4)]
        left = [standing(subject, pgd(eps, step_size=eps / 4 or 1.0)) for eps in radii]
        for larger, smaller in zip(left[1:], left, strict=False):
            assert_no_more(larger, smaller)
        assert not standing(subject, pgd(1.0, steps=40)).any()

    def test_an_l2_ball_inside_the_other_leaves_more(self, subject):
        inside = PGD(
            ball=L2(subject.eps), step_size=subject.eps / 4, steps=20, objective="margin"
        )
        assert_no_more(standing(subject, pgd(subject.eps)), standing(subject, inside))

    def test_another_network_s_gradients_are_no_better_than_its_own(self, subject):
        white = standing(subject, pgd(subject.eps), until=None)
        other = standing(subject, pgd(subject.eps), until=None, gradient_model=subject.other)
        assert_no_more(white, other)

    @pytest.mark.parametrize("name", BLACK_BOX)
    def test_a_black_box_is_no_stronger_than_a_white_one(self, subject, name):
        # On few pixels a search of corners finds what one climb from one start does not.
        white = [
            standing(subject, pgd(subject.eps, objective=objective), restarts=5)
            for objective in ("cross_entropy", "margin")
        ]
        box = BLACK_BOX[name](ball=Linf(subject.eps), queries=300)
        assert_no_more(torch.stack(white).all(0), standing(subject, box))
