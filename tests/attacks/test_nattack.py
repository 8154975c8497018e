"""NAttack: the update of its mean by hand, and what it can and cannot reach."""

import pytest
import torch

from classward.attacks.nattack import NAttack
from classward.core.balls import L2, Linf
from classward.core.randomness import SampleRandom
from classward.evaluation.oracle import CountingOracle


class Drawn(SampleRandom):
    """First a mean of 0, then the noises of its purpose, in place of normal ones."""

    def normal(self, shape):
        noise = [0.0, *map(float, self.purpose.split())][self.draws]
        self.draws += 1
        return torch.full((len(self.ids), *shape), noise)


def oracle(model, n, queries=2000):
    return CountingOracle(model, n, queries, decisions=False)


def attack(model, images, labels, **options):
    chosen = NAttack(**options)
    asked = oracle(model, len(images), chosen.queries)
    rng = SampleRandom(0, "nattack", torch.arange(len(images)))
    return chosen(asked, images, labels, rng=rng), asked.spent


@pytest.mark.parametrize(
    ("noises", "moved"), [("1 1 -1 -1", -0.178885), ("1 1 1 -1", -0.134164)]
)
def test_the_mean_moves_by_standardised_rewards(noises, moved):
    """Rewards 1, 2, 3, 4 are z-scores -1.34, -0.45, 0.45, 1.34."""
    rewards = iter([torch.tensor([0.0]), torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.zeros(1)])

    def model(images):
        return torch.stack([next(rewards), torch.full((len(images),), 9.0)], dim=1)

    chosen = NAttack(
        ball=Linf(0.5), queries=6, population=4, spread=0.1, step_size=0.02, space="pixel"
    )
    out = chosen(
        oracle(model, 1),
        torch.full((1, 1, 1, 1), 0.5),
        torch.ones(1).long(),
        rng=Drawn(0, noises, torch.arange(1)),
        loss=lambda logits, labels: logits[:, 0],
    )
    assert out.item() - 0.5 == pytest.approx(moved, abs=1e-5)


@pytest.mark.parametrize("space", ["tanh", "pixel"])
@pytest.mark.parametrize(("eps", "falls"), [(0.0599, False), (0.07, True)])
def test_falls_when_the_ball_crosses_the_boundary(linear4, space, eps, falls):
    out, spent = attack(
        linear4.model, linear4.images, linear4.labels, ball=Linf(eps), space=space, queries=702
    )
    assert (linear4.model(out).argmax(1) == 1).tolist() == [falls] * 8
    assert (spent == 1 + 7 * 100 + 1).tolist() == [not falls] * 8


def test_any_image_of_a_population_may_be_the_success(linear4):
    out, spent = attack(linear4.model, linear4.images, linear4.labels, ball=L2(2.0), spread=1.0)
    assert (linear4.model(out).argmax(1) != 0).all()
    assert spent.tolist() == [101] * 8, "each found among the first population"
    assert ((out - linear4.images).flatten(1).norm(dim=1) <= 2 + 1e-6).all()


def test_the_last_query_is_about_the_image_that_is_returned():
    asked = []

    def model(images):
        asked.append(images[-1])
        score = images.flatten(1).sum(1)
        return torch.stack([9 + score, -score], dim=1)

    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.zeros(1).long()
    out, spent = attack(model, images, labels, queries=22, population=10)
    assert spent.tolist() == [22] and torch.equal(out[0], asked[-1])


def test_saturated_pixels_move_in_pixel_space_alone():
    def model(images):
        bright = images.flatten(1).sum(1)
        return torch.stack([1 - 10 * bright, 10 * bright], dim=1)

    images, labels = torch.zeros(4, 1, 2, 2), torch.zeros(4).long()
    fell = {
        space: (
            model(attack(model, images, labels, space=space, queries=302)[0]).argmax(1) == 1
        ).tolist()
        for space in ("tanh", "pixel")
    }
    assert fell == {"tanh": [False] * 4, "pixel": [True] * 4}


def test_rewards_that_are_all_equal_move_nothing():
    def model(images):
        return torch.tensor([5.0, 0.0]).expand(len(images), 2)

    images = torch.full((1, 1, 1, 2), 0.5)
    out, _ = attack(model, images, torch.zeros(1).long(), space="pixel")
    assert out.isfinite().all() and (out - images).abs().max() < 0.01


def test_too_few_queries_are_refused():
    with pytest.raises(ValueError, match="101 queries are too few .* give at least 102"):
        NAttack(queries=101)
    assert NAttack(queries=102)
