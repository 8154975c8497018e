"""MIM against gradients that are chosen and linear models, whose optimum is known exactly."""

import pytest
import torch

from classward.attacks.mim import MIM
from classward.core.balls import L2, Linf
from classward.core.losses import margin
from classward.core.randomness import SampleRandom


def run(linear4, attack, **arguments):
    rng = SampleRandom(0, "mim", torch.arange(8))
    return attack(linear4.model, linear4.images, linear4.labels, rng=rng, **arguments)


def two_pixels(attack, *gradients):
    """Climb from gray where the n-th call of the model has the n-th of these gradients."""
    left = iter(gradients)

    def model(images):
        return images.flatten(1) @ torch.tensor([next(left), [0.0, 0.0]]).T

    images, labels = torch.full((1, 1, 1, 2), 0.5), torch.zeros(1).long()
    rng = SampleRandom(0, "mim", torch.arange(1))
    out = attack(model, images, labels, rng=rng, loss=lambda logits, _: logits[:, 0])
    return (out - images).flatten().tolist()


@pytest.mark.parametrize("scale", [1.0, 1e-20])
def test_remembers_earlier_gradients_scaled_to_l1_length_1(scale):
    # The momentum is [1/4, -3/4], then [-5/12, -5/12]: the first pixel turns, the second not.
    first, second = [1.0, -3.0], [-2.0 * scale, 1.0 * scale]
    attack = MIM(ball=Linf(0.2), step_size=0.1, steps=2)
    assert two_pixels(attack, first, second) == pytest.approx([0, -0.2])
    forgetful = MIM(ball=Linf(0.2), step_size=0.1, steps=2, decay=0.0)
    assert two_pixels(forgetful, first, second) == pytest.approx([0, 0])


def test_the_l2_step_is_the_sum_scaled_to_its_length():
    # The momentum is [1/4, -3/4], of l2 length 0.79; then [-5/12, -5/12].
    attack = MIM(ball=L2(0.2), step_size=0.1, steps=2)
    first = [0.1 / 10**0.5, -0.3 / 10**0.5]
    one = MIM(ball=L2(0.1), step_size=0.1, steps=1)
    assert two_pixels(one, [1.0, -3.0]) == pytest.approx(first)
    back = 0.1 / 2**0.5
    known = [first[0] - back, first[1] - back]
    assert two_pixels(attack, [1.0, -3.0], [-2.0, 1.0]) == pytest.approx(known)


@pytest.mark.parametrize(
    ("ball", "reached"),
    [(Linf(0.1916), False), (Linf(0.1918), True), (L2(0.3548), False), (L2(0.3550), True)],
)
def test_reaches_a_target_exactly_beyond_its_distance(linear4, ball, reached):
    def behind_0(logits, targets):
        return logits[:, 0] - logits.gather(1, targets[:, None]).squeeze(1)

    logits = linear4.model(
        run(linear4, MIM(ball=ball), targets=torch.full((8,), 2), loss=behind_0)
    )
    assert ((logits[:, 2] > logits[:, 0]) == reached).all()


def test_a_gradient_of_zero_keeps_the_direction():
    attack = MIM(ball=Linf(0.2), step_size=0.1, steps=2)
    assert two_pixels(attack, [0.0, 0.0], [1.0, -3.0]) == pytest.approx([0.1, -0.1])
    assert two_pixels(attack, [1.0, -3.0], [0.0, 0.0]) == pytest.approx([0.2, -0.2])


@pytest.mark.parametrize(
    ("ball", "falls_to"),
    [(Linf(0.0599), 0), (Linf(0.0601), 1), (L2(0.1133), 0), (L2(0.1135), 1)],
)
def test_flips_exactly_beyond_the_known_distance(linear4, ball, falls_to):
    out = run(linear4, MIM(ball=ball), loss=margin)
    assert (linear4.model(out).argmax(1) == falls_to).all()


def test_default_steps_end_on_the_corner_and_start_at_the_image(linear4):
    seen = []

    def model(images):
        seen.append(images[0, 0, 0, 0].item())
        return linear4.model(images)

    task = (linear4.images, linear4.labels)
    out = MIM(ball=Linf(0.05))(model, *task, rng=SampleRandom(0, "mim", torch.arange(8)))
    assert seen == pytest.approx([0.6 - 0.005 * step for step in range(10)])
    corner = torch.tensor([0.55, 0.45, 0.45, 0.35])
    torch.testing.assert_close(out[0].flatten(), corner)
    assert MIM().ball == Linf(16 / 255) and MIM().steps == 10


def test_until_spends_no_pass_on_finished_samples(linear4):
    sizes = []

    def model(images):
        sizes.append(len(images))
        return linear4.model(images)

    rng = SampleRandom(0, "mim", torch.arange(8))
    task = (model, linear4.images, linear4.labels)
    out = MIM(ball=Linf(0.1))(*task, rng=rng, loss=margin, until=lambda _, where: where < 6)
    assert sizes == [8] * 8 + [2] * 2  # seven steps of 0.01 are beyond 0.06
    distance = (out - linear4.images).flatten(1).abs().amax(1)
    assert distance.tolist() == pytest.approx([0.07] * 6 + [0.1] * 2)


def test_refuses_steps_that_cannot_reach_the_radius():
    with pytest.raises(ValueError, match="^MIM: 10 steps of 0.001 end short of eps 0.0627451"):
        MIM(step_size=0.001)
    for steps in range(1, 30):
        MIM(steps=steps)
