"""FGSM against the linear model of four pixels, whose every step is known exactly."""

import pytest
import torch

from classward.attacks.fgsm import FGSM
from classward.core.balls import L2, Linf
from classward.core.losses import cross_entropy, margin
from classward.core.randomness import SampleRandom

GRADIENT = torch.tensor([-0.667860, 0.950977, -0.283117, 0.052271])  # of the cross-entropy


def run(linear4, attack, model=None, **arguments):
    rng = SampleRandom(0, "fgsm", torch.arange(8))
    return attack(model or linear4.model, linear4.images, linear4.labels, rng=rng, **arguments)


def test_known_step(linear4):
    out = run(linear4, FGSM(ball=Linf(0.05)))
    assert cross_entropy(linear4.model(linear4.images), linear4.labels)[0].item() == (
        pytest.approx(0.7214698)
    )
    torch.testing.assert_close(out[0].flatten(), torch.tensor([0.55, 0.45, 0.45, 0.35]))
    logits = torch.tensor([0.625, 0.575, -0.475])
    torch.testing.assert_close(linear4.model(out)[0], logits)


def test_known_step_in_l2(linear4):
    out = run(linear4, FGSM(ball=L2(0.05)))
    step = 0.05 * GRADIENT / GRADIENT.norm()
    torch.testing.assert_close((out - linear4.images)[0].flatten(), step, atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", [None, margin])
@pytest.mark.parametrize(("eps", "falls_to"), [(0.0599, 0), (0.0601, 1)])
def test_flips_exactly_beyond_the_known_distance(linear4, eps, falls_to, loss):
    out = run(linear4, FGSM(ball=Linf(eps)), loss=loss)
    assert (linear4.model(out).argmax(1) == falls_to).all()


def test_a_target_is_approached_not_left(linear4):
    out = run(linear4, FGSM(ball=Linf(0.05)), targets=torch.full((8,), 2))
    probability = linear4.model(out).softmax(1)[:, 2]
    assert (probability > linear4.model(linear4.images).softmax(1)[:, 2] + 0.01).all()


def test_costs_one_pass_and_leaves_saturated_pixels_in_the_box(linear4):
    sizes = []

    def model(images):
        sizes.append(len(images))
        return linear4.model(images)

    out = run(linear4, FGSM(ball=Linf(0.9)), model)
    assert sizes == [8]
    assert out[0].flatten().tolist() == [0.0, 1.0, 0.0, 1.0]


def test_a_sample_that_is_wrong_already_is_offered_as_it_is(linear4):
    asked = []
    linear4.labels = torch.arange(8) % 2  # the model says 0

    def until(images, where):
        asked.extend(where.tolist())
        return where < 4

    out = run(linear4, FGSM(), until=until)
    assert asked == [1, 3, 5, 7]
    same = (out == linear4.images).flatten(1).all(1)
    assert same.tolist() == [False, True, False, True, False, False, False, False]
