"""R-FGSM on the linear model of four pixels: each pixel goes all the way, or not at all."""

import pytest
import torch

from classward.attacks.rfgsm import RFGSM
from classward.core.balls import L2, Linf
from classward.core.losses import margin
from classward.core.randomness import SampleRandom

SIGNS = torch.tensor([-1.0, 1, -1, 1])  # of the margin's gradient, wherever the attack is


def run(linear4, attack, restart=0, model=None, **arguments):
    rng = SampleRandom(0, "rfgsm", torch.arange(8), restart)
    return attack(model or linear4.model, linear4.images, linear4.labels, rng=rng, **arguments)


def change(linear4, attack, **arguments):
    return (run(linear4, attack, **arguments) - linear4.images).flatten(1)


def test_pixels_whose_random_step_was_against_the_gradient_come_back(linear4):
    moved = change(linear4, RFGSM(ball=Linf(0.06)), loss=margin) / 0.06 * SIGNS
    near = torch.minimum(moved.abs(), (moved - 1).abs())
    assert near.max() < 1e-5, "each pixel moves by 0 or by eps"
    assert 0.2 < (moved > 0.5).float().mean() < 0.8
    other = change(linear4, RFGSM(ball=Linf(0.06)), loss=margin, restart=1)
    assert not torch.allclose(moved, other / 0.06 * SIGNS)


def test_lengths_of_the_two_steps(linear4):
    seen = []

    def model(images):
        seen.append((images - linear4.images).flatten(1))
        return linear4.model(images)

    attack = RFGSM(ball=Linf(0.06), random_step=0.02)
    moved = change(linear4, attack, model=model, loss=margin)
    assert len(seen) == 1, "one pass"
    torch.testing.assert_close(seen[0].abs(), torch.full((8, 4), 0.02))
    torch.testing.assert_close(moved - seen[0], (0.04 * SIGNS).repeat(8, 1))
    none = change(linear4, RFGSM(ball=Linf(0.06), random_step=0), loss=margin)
    torch.testing.assert_close(none, (0.06 * SIGNS).repeat(8, 1))  # that is FGSM


def test_l2_steps_are_a_direction_and_the_gradient(linear4):
    seen = []

    def model(images):
        seen.append((images - linear4.images).flatten(1))
        return linear4.model(images)

    moved = change(linear4, RFGSM(ball=L2(0.1)), model=model, loss=margin)
    torch.testing.assert_close(seen[0].norm(dim=1), torch.full((8,), 0.05))
    known = 0.05 * torch.tensor([-1.0, 2, -1, 1]) / 7**0.5
    torch.testing.assert_close(moved - seen[0], known.repeat(8, 1))
    assert (moved.norm(dim=1) < 0.1).all()


def test_a_target_is_approached(linear4):
    targets = torch.full((8,), 2)
    out = run(linear4, RFGSM(ball=Linf(0.05), random_step=0.01), targets=targets)
    probability = linear4.model(out).softmax(1)[:, 2]
    assert (probability > linear4.model(linear4.images).softmax(1)[:, 2] + 0.005).all()


def test_a_random_point_that_will_do_is_offered(linear4):
    linear4.labels = torch.arange(8) % 2  # the model says 0 near the image
    out = run(linear4, RFGSM(ball=Linf(0.02)), until=lambda _, where: where < 4)
    distance = (out - linear4.images).flatten(1).abs().amax(1)
    torch.testing.assert_close(distance[[1, 3]], torch.tensor([0.01, 0.01]))


def test_refuses_a_random_step_beyond_the_radius():
    with pytest.raises(ValueError, match="^RFGSM: random_step 0.1 is longer than eps 0.03137"):
        RFGSM(random_step=0.1)
    RFGSM(ball=Linf(0.1), random_step="1/10")
