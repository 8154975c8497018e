"""Square: schedule and pattern by hand, search on linear models, every query counted."""

import pytest
import torch

from classward.attacks.square import (
    Square,
    _l2_move,
    _linf_draw,
    _linf_move,
    _pattern,
    _span,
    _tiles,
    _window,
)
from classward.core.balls import L2, Linf
from classward.core.losses import margin
from classward.core.randomness import SampleRandom
from classward.evaluation.oracle import CountingOracle


def run(attack, model, images, labels, **arguments):
    oracle = CountingOracle(model, len(images), attack.queries, decisions=False)
    rng = SampleRandom(0, "square", torch.arange(len(images)))
    return attack(oracle, images, labels, rng=rng, **arguments), oracle.spent.tolist()


def never(_, where):
    return torch.zeros_like(where, dtype=torch.bool)


def four_classes(linear4):
    return lambda images: torch.cat(
        [linear4.model(images), torch.full((len(images), 1), -1.0)], dim=1
    )


def test_finds_nothing_where_there_is_nothing_and_most_where_there_is(linear4):
    task = (four_classes(linear4), linear4.images, linear4.labels)
    adversarial, spent = run(Square(ball=Linf(0.0599), queries=300), *task)
    assert (linear4.model(adversarial).argmax(1) == 0).all() and spent == [300] * 8
    adversarial, spent = run(Square(ball=Linf(0.0601), queries=2000), *task)
    fell = linear4.model(adversarial).argmax(1) == 1
    assert fell.sum() >= 4  # each of four signs must be right: not all are found
    assert all((s < 2000) == f for s, f in zip(spent, fell.tolist(), strict=True))


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.3)])
def test_each_query_is_counted_and_the_margin_never_falls(linear4, ball):
    heights = []

    def climbed(logits, labels):
        heights.append(margin(logits, labels))
        return heights[-1]

    attack = Square(ball=ball, queries=60)
    task = (linear4.model, linear4.images, linear4.labels)
    adversarial, spent = run(attack, *task, loss=climbed, until=never)
    assert spent == [60] * 8 and len(heights) == 60
    best = torch.stack(heights).amax(dim=0)
    reached = margin(linear4.model(adversarial), linear4.labels)
    torch.testing.assert_close(reached.to(best), best)
    assert (ball.distance(adversarial, linear4.images) <= ball.eps + 1e-6).all()
    assert best.min() > heights[0].max()


def test_a_sample_rests_at_its_first_success(linear4):
    found = {}

    def until(candidates, where):
        found.update(zip(where.tolist(), candidates, strict=True))
        return torch.ones_like(where, dtype=torch.bool)

    task = (linear4.model, linear4.images, linear4.labels)
    adversarial, spent = run(Square(ball=Linf(0.2), queries=500), *task, until=until)
    assert len(found) == 8 and max(spent) < 500
    assert all(torch.equal(adversarial[i], image) for i, image in found.items())


def test_reaches_a_target(linear4):
    task = (linear4.model, linear4.images, linear4.labels)
    attack = Square(ball=Linf(0.4), queries=500)
    adversarial, _ = run(attack, *task, targets=torch.full((8,), 2))
    assert (linear4.model(adversarial).argmax(1) == 2).all()


@pytest.mark.parametrize(
    ("window", "side"),
    [
        (0, 29),
        (10, 29),
        (11, 20),
        (51, 14),
        (201, 10),
        (501, 7),
        (1001, 5),
        (2001, 4),
        (4001, 3),
    ],
)
def test_windows_shrink_as_in_the_authors_program(window, side):
    assert Square()._size(window, 32, 32) == side
    odd = max(side, 3) + (max(side, 3) % 2 == 0)
    assert Square(ball=L2(0.5))._size(window, 32, 32) == odd


def test_rescaled_windows_shrink_as_over_ten_thousand_queries():
    attack = Square(queries=2000, rescale=True)
    assert attack._size(1000, 32, 32) == 3 and attack._size(1601, 32, 32) == 1
    assert Square(queries=2000)._size(1000, 32, 32) == 7


def test_the_pattern_is_a_hill_beside_a_valley():
    upper = torch.tensor([[0.25, 1.25, 0.25]])
    lower = torch.tensor([[0.25, 0.25, 0.25], [0.25, 1.25, 0.25]])
    expected = torch.cat([upper / upper.norm(), -lower / lower.norm()])
    torch.testing.assert_close(_pattern(3), expected / expected.norm())
    for size in (1, 2, 5, 8):
        torch.testing.assert_close(_pattern(size).norm(), torch.tensor(1.0))


def test_windows_lie_inside_and_reach_every_border():
    numbers = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))
    images = torch.zeros(2000, 1, 6, 5)
    inside, _, _ = _window(images, 3, numbers)
    assert (inside.sum(dim=(1, 2, 3)) == 9).all()
    assert inside.any(dim=0).all()
    edge, _, _ = _window(images, 3, torch.ones(2000, 2))  # rounding may give 1
    assert (edge.sum(dim=(1, 2, 3)) == 9).all()


def test_both_ways_to_place_a_window_agree():
    numbers = torch.rand(50, 2, 2, generator=torch.Generator().manual_seed(2))
    for turn, size in enumerate((4, 1)):
        inside, _, _ = _window(torch.zeros(50, 1, 6, 5), size, numbers[:, turn])
        rows, columns = (
            _span(length, torch.tensor([4, 1]), numbers[:, :, axis])[:, turn]
            for axis, length in enumerate((6, 5))
        )
        assert torch.equal(inside[:, 0], rows[:, :, None] & columns[:, None])


def test_an_linf_window_is_at_the_edge_of_the_ball():
    clean = torch.full((4, 3, 6, 6), 0.5)
    numbers = torch.rand(4, 2, 8, generator=torch.Generator().manual_seed(1))
    drawn = _linf_draw(Linf(0.1), clean, [4, 3], numbers)
    change = _linf_move(Linf(0.1), clean, 3, 1, *drawn) - clean
    moved = (change != 0).sum(dim=(2, 3))
    assert (moved == 9).all()
    torch.testing.assert_close(change[change != 0].abs(), torch.full((108,), 0.1))


@pytest.mark.parametrize("length", [0.4, 0.2])  # what is short of the radius is made good
def test_an_l2_move_goes_to_the_radius_and_empties_the_second_window(length):
    clean, ball = torch.full((4, 3, 9, 9), 0.5), L2(0.4)
    rng = SampleRandom(0, "square", torch.arange(4))
    tiles = _tiles(clean, rng)
    torch.testing.assert_close(tiles.flatten(1).norm(dim=1), torch.ones(4))
    best, numbers = clean + length * tiles, rng.uniform([8])
    moved = _l2_move(ball, best, 3, 0, clean, numbers[:, None])
    torch.testing.assert_close(ball.distance(moved, clean), torch.full((4,), 0.4))
    one, two = (_window(clean, 3, numbers[:, i : i + 2])[0] for i in (0, 2))
    outside = ~(one | two)
    assert ((moved - clean) * (two & ~one) == 0).all()
    torch.testing.assert_close(moved * outside, best * outside)


def test_windows_are_the_samples_own(linear4):
    seen = []

    def model(images):
        seen.append(images.clone())
        return torch.stack([images.flatten(1).sum(1) + 10, 0 * images[:, 0, 0, 0]], dim=1)

    images = torch.full((6, 1, 16, 16), 0.5)
    run(Square(ball=Linf(0.1), queries=3), model, images, torch.zeros(6).long())
    assert len(seen) == 3
    assert len(seen[0].flatten(1).unique(dim=0)) == 6
