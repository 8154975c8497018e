"""BIM: PGD without its random start, as many steps as its paper takes."""

import pytest
import torch

from classward.attacks.bim import BIM
from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.losses import margin
from classward.core.randomness import SampleRandom


def run(linear4, attack, model=None, **arguments):
    rng = SampleRandom(0, "bim", torch.arange(8))
    return attack(model or linear4.model, linear4.images, linear4.labels, rng=rng, **arguments)


@pytest.mark.parametrize(
    ("eps", "passes"),
    [(1, 2), (2, 3), (4, 5), (8, 10), (16, 20), (17, 21), (32, 36), (0, 1)],
)
def test_takes_the_steps_of_the_paper(linear4, eps, passes):
    # Of 1/255: min(eps + 4, 1.25 eps), rounded up.
    sizes = []

    def model(images):
        sizes.append(len(images))
        return linear4.model(images)

    run(linear4, BIM(ball=Linf(eps / 255)), model)
    assert len(sizes) == passes


def test_twice_the_step_is_half_the_way(linear4):
    sizes = []

    def model(images):
        sizes.append(len(images))
        return linear4.model(images)

    run(linear4, BIM(ball=Linf(16 / 255), step_size=2 / 255), model)
    assert len(sizes) == 10


@pytest.mark.parametrize("ball", [Linf(0.05), L2(0.1)])
def test_is_pgd_from_the_clean_image(linear4, ball):
    bim = BIM(ball=ball, step_size=ball.eps / 4, steps=7)
    pgd = PGD(ball=ball, step_size=ball.eps / 4, steps=7, random_start=False)
    for given in ({}, {"loss": margin}, {"targets": torch.full((8,), 2)}):
        assert torch.equal(run(linear4, bim, **given), run(linear4, pgd, **given))


def test_ends_on_the_corner_that_fgsm_jumps_to(linear4):
    ball = Linf(0.05)
    assert torch.allclose(run(linear4, BIM(ball=ball)), run(linear4, FGSM(ball=ball)))


@pytest.mark.parametrize(("eps", "falls_to"), [(0.0599, 0), (0.0601, 1)])
def test_flips_exactly_beyond_the_known_distance(linear4, eps, falls_to):
    out = run(linear4, BIM(ball=Linf(eps)))
    assert (linear4.model(out).argmax(1) == falls_to).all()


def test_refuses_steps_that_cannot_reach_the_radius():
    with pytest.raises(ValueError, match="^BIM: 7 steps of 0.00392157 end short"):
        BIM(steps=7)
    BIM(steps=8)
