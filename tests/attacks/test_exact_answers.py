"""Attacks that are exact on linear models agree there with the closed form, on every image."""

from functools import partial

import pytest
import torch

from classward.attacks.bim import BIM
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.attacks.fgsm import FGSM
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf, ball
from classward.core.randomness import SampleRandom

IN_BALL = [
    FGSM,
    BIM,
    MIM,
    PGD,
    partial(PGD, objective="margin"),
    partial(PGD, objective="dlr", keep="best"),
]
MINIMAL = [
    DeepFool(overshoot=1e-4),
    DeepFool(norm="linf", overshoot=1e-4),
    CarliniWagner(steps=100, binary_steps=8, initial_const=1.0),
]


def linear_model(seed):
    """Two classes, their weight difference, and gray images at known l2 distances from it."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(12, generator=generator)
    images = 0.5 + 0.1 * torch.rand(50, 3, 2, 2, generator=generator)
    aside = images.flatten(1) - 0.5
    aside -= (aside @ weight)[:, None] * weight / weight.square().sum()
    distances = 0.02 + 0.1 * torch.rand(50, generator=generator)
    images = 0.5 + aside + distances[:, None] * weight / weight.norm()

    def model(images):
        score = (images.flatten(1) - 0.5) @ weight
        return torch.stack([score, -score], dim=1)

    return model, images.view(-1, 3, 2, 2), weight, distances


def name(method):
    return method.__name__ if isinstance(method, type) else str(method.keywords)


def attacked(attack, model, images):
    labels, rng = torch.zeros(len(images)).long(), SampleRandom(0, "test", torch.arange(50))
    return attack(model, images, labels, rng=rng)


def check_ball(method, seed):
    model, images, weight, l2 = linear_model(seed)
    linf = l2 * weight.norm() / weight.abs().sum()
    for norm, known in ((Linf, linf), (L2, l2)):
        eps = known.median().item()
        steps = {} if method is FGSM else {"steps": 20, "step_size": eps / 4}
        attack = method(ball=norm(eps), **steps)
        fell = model(attacked(attack, model, images)).argmax(1) == 1
        decided = (known / eps - 1).abs() > 1e-3
        assert torch.equal(fell[decided], (known < eps)[decided])


def check_distance(attack, seed, tolerance):
    model, images, weight, known = linear_model(seed)
    if attack.norm == "linf":
        known = known * weight.norm() / weight.abs().sum()
    made = attacked(attack, model, images)
    assert (model(made).argmax(1) == 1).all()
    ratio = ball(attack.norm, 1).distance(made, images) / known
    assert (ratio >= 1 - 1e-4).all() and (ratio <= 1 + tolerance).all()


@pytest.mark.parametrize("method", IN_BALL, ids=name)
def test_falls_exactly_when_the_ball_crosses_the_boundary(method):
    for seed in range(5):
        check_ball(method, seed)


@pytest.mark.parametrize("attack", MINIMAL, ids=repr)
def test_smallest_distance_is_the_known_one(attack):
    check_distance(attack, 0, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", IN_BALL, ids=name)
def test_falls_exactly_when_the_ball_crosses_the_boundary_of_200_models(method):
    for seed in range(200):
        check_ball(method, seed)


@pytest.mark.slow
@pytest.mark.parametrize("attack", MINIMAL, ids=repr)
def test_smallest_distance_is_the_known_one_of_200_models(attack):
    for seed in range(200):
        check_distance(attack, seed, 0.02)
