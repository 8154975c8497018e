"""The loop of the climbing attacks: what it spends, what it keeps, what it asks."""

import pytest
import torch

from classward.attacks.ascent import ascend, goal, steepest_steps
from classward.core.balls import Linf
from classward.core.losses import margin

START = torch.full((3, 1, 1, 1), 0.5)
LABELS = torch.zeros(3).long()


def hills(heights):
    """A model of one pixel that walks up by 0.1: its margin is the next of `heights`."""

    def model(images):
        step = (images.flatten(1) * 10 - 5).round().long()
        height = torch.tensor(heights)[step] + images.flatten(1) - images.flatten(1).detach()
        return torch.cat([torch.zeros_like(height), height], dim=1)

    return model


def climb(heights, **options):
    move = steepest_steps(Linf(0.5), 0.1, START)
    given = {"steps": len(heights) - 1, "until": None} | options
    out = ascend(hills(heights), START, goal(margin, LABELS, None), move, **given)
    return (out.flatten() * 10 - 5).round().int().tolist()


@pytest.mark.parametrize(
    ("heights", "best"),
    [
        ([-3.0, -1.0, -2.0], 1),
        ([-3.0, -2.0, -1.0], 2),  # the last iterate counts
        ([-1.0, -2.0, -3.0], 0),  # and so does the first
        ([1.0, 2.0, -3.0], 1),
    ],
)
def test_keeps_the_last_or_the_best(heights, best):
    assert climb(heights) == [2, 2, 2]
    assert climb(heights, keep="best") == [best] * 3


def test_the_best_is_one_that_reached_the_goal():
    # On the negative margin the best by height alone would be the clean image.
    upside_down = goal(lambda logits, labels: -margin(logits, labels), LABELS, None)
    model, down = hills([-1.0, 1.0, -2.0]), steepest_steps(Linf(0.5), 0.1, START)

    def move(adversarial, gradient, where):
        return down(adversarial, -gradient, where)

    out = ascend(model, START, upside_down, move, steps=2, until=None, keep="best")
    assert out.flatten().tolist() == pytest.approx([0.6] * 3)


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_confirmed_candidate_is_final_and_a_denied_one_does_not_count(keep):
    asked = []

    def until(images, where):
        asked.append(where.tolist())
        return where == 0

    heights = [-1.0, 3.0, 2.0, -2.0]
    ends = {"last": [1, 3, 3], "best": [1, 1, 1]}[keep]
    assert climb(heights, until=until, keep=keep) == ends
    assert asked == [[0, 1, 2], [1, 2]]
    # What until denied does not stand in the way of what it has not seen.
    final = climb([-1.0, 3.0, 2.0], until=lambda _, where: where < 0, keep=keep)
    assert final == [2, 2, 2]


@pytest.mark.parametrize(("keep", "passes"), [("last", 3), ("best", 4)])
def test_costs_a_pass_for_each_step_and_one_to_know_the_last(keep, passes):
    sizes, model = [], hills([0.0] * 5)

    def counted(images):
        sizes.append((len(images), images.requires_grad))
        return model(images)

    move = steepest_steps(Linf(0.5), 0.1, START)
    task = counted, START, goal(margin, LABELS, None), move
    ascend(*task, steps=3, until=None, keep=keep)
    assert sizes == [(3, True)] * 3 + [(3, False)] * (passes - 3)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_faulty_gradient_is_not_hidden_by_an_earlier_iterate(steps):
    def model(images):
        flat = images.flatten(1)
        return torch.cat([flat, 0 * (0 * flat).sqrt()], dim=1)

    move = steepest_steps(Linf(0.5), 0.1, START)
    task = model, START, goal(margin, LABELS, None), move
    assert ascend(*task, steps=steps, until=None, keep="best").isnan().all()


def test_a_success_outlives_a_faulty_gradient():
    def model(images):
        flat = images.flatten(1)
        return torch.cat([flat, flat + 0.1 + 0 * (0 * flat).sqrt()], dim=1)

    move = steepest_steps(Linf(0.5), 0.1, START)
    task = model, START, goal(margin, LABELS, None), move
    assert torch.equal(ascend(*task, steps=2, until=None, keep="best"), START)
