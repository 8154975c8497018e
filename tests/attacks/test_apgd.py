"""APGD against linear models, and its schedule against the paper's rules played by hand."""

import pytest
import torch

from classward.attacks.apgd import APGD, _checkpoints
from classward.core.balls import L2, Linf
from classward.core.losses import cross_entropy, dlr, margin
from classward.core.randomness import SampleRandom

OBJECTIVES = ["cross_entropy", "dlr", "dlr_targeted"]


def run(linear4, attack, model=None, **arguments):
    rng = SampleRandom(0, "apgd", torch.arange(8))
    whom = model or linear4.model
    return attack(whom, linear4.images, linear4.labels, rng=rng, **arguments)


def four_classes(linear4):
    """The same model with a class that is never likely."""
    return lambda images: torch.cat(
        [linear4.model(images), torch.full((len(images), 1), -1.0)], dim=1
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("eps", "falls_to"), [(0.0599, 0), (0.0601, 1)])
def test_flips_exactly_beyond_the_known_linf_distance(linear4, objective, eps, falls_to):
    attack = APGD(ball=Linf(eps), objective=objective)
    for model in (linear4.model, four_classes(linear4)):
        adversarial = run(linear4, attack, model)
        assert (model(adversarial).argmax(1) == falls_to).all()


@pytest.mark.parametrize("objective", ["dlr", "dlr_targeted"])
@pytest.mark.parametrize(("eps", "falls_to"), [(0.1133, 0), (0.1135, 1)])
def test_flips_exactly_beyond_the_known_l2_distance(linear4, objective, eps, falls_to):
    adversarial = run(linear4, APGD(ball=L2(eps), objective=objective), four_classes(linear4))
    assert (linear4.model(adversarial).argmax(1) == falls_to).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("eps", "reached"), [(0.1916, False), (0.1918, True)])
def test_reaches_a_target_exactly_beyond_its_distance(linear4, objective, eps, reached):
    targets, reaching = torch.full((8,), 2), set()

    def until(candidates, where):
        assert (linear4.model(candidates).argmax(1) == 2).all()
        reaching.update(where.tolist())
        return torch.ones_like(where, dtype=torch.bool)

    run(linear4, APGD(ball=Linf(eps), objective=objective), targets=targets, until=until)
    assert reaching == (set(range(8)) if reached else set())


def test_checkpoints_are_those_of_the_authors_program():
    assert list(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(_checkpoints(50)) == [11, 21, 30, 38, 45]
    assert list(_checkpoints(20))[:5] == [4, 7, 9, 10, 11]
    assert list(_checkpoints(1)) == [1]
    assert list(_checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]


def test_the_step_size_is_halved_where_it_overshoots():
    """A valley's rim at 0.1 from the start: steps of 2 eps jump over it until they shrink."""
    at = []

    def model(images):
        height = -(images.mean(dim=(1, 2, 3)) - 0.5).abs()
        at.append(images.detach().mean().item())
        return torch.stack([0 * height, height], dim=1)

    images = torch.full((1, 1, 1, 1), 0.6)
    rng = SampleRandom(0, "apgd", torch.zeros(1).long())
    task = {"rng": rng, "loss": margin}
    best = APGD(ball=Linf(0.2))(model, images, torch.zeros(1).long(), **task)
    assert len(at) == 101  # the start and each step, one pass each
    assert max(abs(value - 0.5) for value in at[1:20]) > 0.1
    assert max(abs(value - 0.5) for value in at[90:]) < 0.02
    assert abs(best.item() - 0.5) < 1e-3


def test_returns_the_highest_iterate(linear4):
    heights = []

    def height(logits, labels):
        heights.append(cross_entropy(logits, labels).detach())
        return cross_entropy(logits, labels)

    adversarial = run(linear4, APGD(ball=Linf(0.2), steps=7), loss=height)
    highest = torch.stack(heights).amax(dim=0)
    said = cross_entropy(linear4.model(adversarial), linear4.labels)
    torch.testing.assert_close(said, highest)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_until_spends_no_pass_on_finished_samples(linear4, objective):
    sizes = []

    def model(images):
        sizes.append(len(images))
        return four_classes(linear4)(images)

    attack = APGD(ball=Linf(0.2), objective=objective, steps=10)
    run(linear4, attack, model, until=lambda _, where: where < 6)
    assert sizes[0] == 8 and sizes[-1] == 2 and sizes == sorted(sizes, reverse=True)


def test_each_rival_is_tried_from_its_own_start(linear4):
    passes = []

    def model(images):
        passes.append(images.detach())
        return four_classes(linear4)(images)

    run(linear4, APGD(ball=Linf(0.05), objective="dlr_targeted", steps=5), model)
    assert len(passes) == 1 + 3 * (5 + 1)  # ranks at the clean image, then three rivals
    starts = [passes[1], passes[7], passes[13]]
    assert not torch.equal(starts[0], starts[1]) and not torch.equal(starts[1], starts[2])
    for start in starts:
        torch.testing.assert_close((start - passes[0]).abs().amax(), torch.tensor(0.05))
    run(linear4, APGD(ball=Linf(0.05), objective="dlr_targeted", target_classes=1), model)
    assert len(passes) == 19 + 1 + 101


def test_given_loss_replaces_the_objective(linear4):
    given = run(linear4, APGD(ball=Linf(0.1)), loss=dlr)
    assert torch.equal(given, run(linear4, APGD(ball=Linf(0.1), objective="dlr")))


def by_the_book(model, clean, start, ball, steps, checkpoints):
    """Alg. 1 for one sample on cross-entropy, all iterates kept; the best, and all of them."""

    def look(image):
        image = image.detach().requires_grad_()
        loss = cross_entropy(model(image), torch.zeros(1).long()).sum()
        return loss.item(), torch.autograd.grad(loss, image)[0]

    points, found = [start], [look(start)]
    size, best, checks = 2 * ball.eps, 0, [(0, True, found[0][0])]
    before, at, gradient = start, start, found[0][1]
    for step in range(steps):
        share = 0.75 if step else 1.0
        ahead = ball.project(at + size * ball.steepest(gradient), clean)
        moved = at + share * (ahead - at) + (1 - share) * (at - before)
        points.append(ball.project(moved, clean))
        found.append(look(points[-1]))
        best = max(range(len(found)), key=lambda i: found[i][0])
        before, at, gradient = at, points[-1], found[-1][1]
        if step + 1 in checkpoints:
            since, was_halved, height = checks[-1]
            rises = sum(found[i + 1][0] > found[i][0] for i in range(since, step + 1))
            few = rises <= 0.75 * (step + 1 - since)
            halved = few or (not was_halved and height == found[best][0])
            checks.append((step + 1, halved, found[best][0]))
            if halved:
                size, at, gradient = size / 2, points[best], found[best][1]
    return points[best], points, [halved for _, halved, _ in checks[1:]]


def check_iterates(ball, seed, steps):
    generator = torch.Generator().manual_seed(seed)
    inner, outer = (torch.randn(12, 12, generator=generator).double() for _ in range(2))
    clean = torch.rand(1, 3, 2, 2, generator=generator).double()
    seen = []

    def model(images):
        return (2 * images.flatten(1) @ inner).sin() @ outer

    def watched(images):
        seen.append(images.detach())
        return model(images)

    rng, labels = SampleRandom(seed, "apgd", torch.zeros(1).long()), torch.zeros(1).long()
    highest = APGD(ball=ball, steps=steps)(watched, clean, labels, rng=rng)
    best, points, halved = by_the_book(model, clean, seen[0], ball, steps, _checkpoints(steps))
    torch.testing.assert_close(torch.cat(seen), torch.cat(points))
    torch.testing.assert_close(highest, best)
    return halved


@pytest.mark.parametrize("ball", [Linf(0.3), L2(0.4)])
def test_every_iterate_is_that_of_the_algorithm(ball):
    halved = [flag for seed in range(6) for flag in check_iterates(ball, seed, 100)]
    halved += [flag for seed in range(6) for flag in check_iterates(ball, seed, 4)]
    assert True in halved and False in halved
