"""The oracle counts what is sent through the model, and every black-box attack lives by it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import classward.attacks
from classward.attacks.nes import NES
from classward.attacks.simba import SimBA
from classward.core.balls import Linf
from classward.core.errors import InputError, InvariantError
from classward.core.methods import methods
from classward.core.randomness import SampleRandom
from classward.data.split import Split
from classward.evaluation.oracle import CountingOracle
from classward.evaluation.run_attack import run_attack

BLACK_BOX = {
    name: cls for name, cls in methods(classward.attacks).items() if cls.access != "gradient"
}
every_black_box = pytest.mark.parametrize("name", BLACK_BOX)
QUERIES = 230


def oracle(decisions=False, **more):
    return CountingOracle(
        lambda x: x.flatten(1), samples=3, budget=2, decisions=decisions, **more
    )


def test_counts_each_image_of_each_sample():
    asked = oracle()
    asked(torch.rand(4, 1, 1, 2), torch.tensor([0, 0, 2, 1]))
    assert asked.spent.tolist() == [2, 1, 1]
    assert asked.left.tolist() == [0, 1, 1]


def test_refuses_past_the_budget_and_asks_nothing_then():
    calls = []
    asked = CountingOracle(calls.append, samples=2, budget=1, decisions=False)
    with pytest.raises(
        InvariantError, match="query 2 for sample 1 of its batch, the budget is 1"
    ):
        asked(torch.rand(2, 1, 1, 2), torch.tensor([1, 1]))
    assert calls == [] and asked.spent.tolist() == [0, 0]


@pytest.mark.parametrize("pixel", [-0.1, 1.1, float("nan")])
def test_refuses_what_is_no_image_and_counts_nothing_then(pixel):
    asked, images = oracle(), torch.full((2, 1, 1, 2), 0.5)
    images[1, 0, 0, 1] = pixel
    with pytest.raises(InvariantError, match=r"out of \[0, 1\], made from sample 2"):
        asked(images, torch.tensor([0, 2]))
    assert asked.spent.tolist() == [0, 0, 0]


def test_decisions_are_classes_alone():
    images = torch.tensor([[[[0.1, 0.9]]], [[[0.9, 0.1]]]])
    assert oracle(decisions=True)(images, torch.tensor([0, 1])).tolist() == [1, 0]
    assert oracle()(images, torch.tensor([0, 1])).shape == (2, 2)


def test_gives_no_gradient_and_says_so():
    images = torch.rand(1, 1, 1, 2, requires_grad=True)
    with pytest.raises(InvariantError, match="wants a gradient of an oracle"):
        oracle()(images, torch.tensor([0]))
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    asked = CountingOracle(model, samples=1, budget=1, decisions=False)
    assert not asked(images.detach(), torch.tensor([0])).requires_grad


def test_logits_that_are_not_finite_are_the_models_fault():
    asked = CountingOracle(lambda x: x.flatten(1) / 0, 1, 1, decisions=False)
    with pytest.raises(InputError, match="logits that are not finite"):
        asked(torch.rand(1, 1, 1, 2), torch.tensor([0]))


def test_sends_no_more_at_once_than_it_may():
    sizes = []

    def model(images):
        sizes.append(len(images))
        return images.flatten(1)

    asked = CountingOracle(model, samples=3, budget=9, decisions=False, at_once=4)
    images = torch.rand(9, 1, 1, 2)
    torch.testing.assert_close(asked(images, torch.arange(9) % 3), images.flatten(1))
    assert sizes == [4, 4, 1]


def test_notes_the_number_of_the_first_success_of_each_sample():
    def won(images, logits, where):
        return images.flatten(1)[:, 0] > 0.5

    asked = CountingOracle(lambda x: x.flatten(1), samples=4, budget=9, decisions=True, won=won)

    def ask(values, where):
        asked(torch.tensor(values).view(-1, 1, 1, 1), torch.tensor(where))

    ask([0.1, 0.1], [0, 1])
    ask([0.1, 0.9, 0.1, 0.9, 0.9], [1, 0, 1, 1, 1])
    assert asked.first_success.tolist() == [2, 4, -1, -1]
    ask([0.9, 0.9, 0.9], [1, 3, 0])
    assert asked.first_success.tolist() == [2, 4, -1, 1]


class Hooked(nn.Module):
    """A linear model that counts the images it sees, by the sample they are nearest to."""

    def __init__(self, clean, weight):
        super().__init__()
        self.clean, self.weight = clean, weight
        self.seen = torch.zeros(len(clean), dtype=torch.long)

    def forward(self, images):
        nearest = torch.cdist(images.flatten(1), self.clean.flatten(1)).argmin(1)
        self.seen += torch.bincount(nearest, minlength=len(self.clean))
        return (images.flatten(1) - 0.5) @ self.weight


@pytest.fixture
def hooked():
    """Samples far from each other, at several distances from the boundary; some are wrong."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(12, 3, 4, 4, generator=generator)
    model = Hooked(clean, torch.randn(48, 3, generator=generator))
    labels = ((clean.flatten(1) - 0.5) @ model.weight).argmax(1)
    labels[::5] = (labels[::5] + 1) % 3
    return model, clean, labels


def small(name, queries=QUERIES):
    return replace(BLACK_BOX[name](ball=Linf(0.02)), queries=queries)


def ingredients(attack, model):
    own = {"surrogates": [lambda images: (images.flatten(1) - 0.5) @ model.weight.flip(0)]}
    return {name: own[name] for name in attack.needs}


@every_black_box
def test_the_count_is_that_of_the_forwards(name, hooked):
    (model, images, labels), attack = hooked, small(name)
    asked = CountingOracle(model, 12, QUERIES, decisions=attack.access == "decisions")
    rng = SampleRandom(0, name, torch.arange(12))
    attack(asked, images, labels, rng=rng, **ingredients(attack, model))
    assert torch.equal(asked.spent, model.seen)
    assert (asked.spent[::5] <= 2).all() and asked.spent.max() > 100


@every_black_box
def test_a_record_says_what_was_spent_and_when_it_first_succeeded(name, hooked):
    (model, images, labels), attack = hooked, small(name)
    made = run_attack(
        model, attack, Split(images, labels), ingredients=ingredients(attack, model)
    )
    assert made.passes.forward == int(made.queries.sum()) + 2 * 12  # before and after
    fell = made.success
    assert fell.any() and not fell.all(), "the test model must be of both kinds"
    assert (made.first_success[fell] >= 1).all() and (made.first_success[~fell] == -1).all()
    assert (made.first_success[fell] <= made.queries[fell]).all()
    assert made.first_success[~made.correct].tolist() == [1] * int((~made.correct).sum())
    assert (made.queries <= QUERIES).all()


@every_black_box
def test_queries_and_success_do_not_depend_on_the_batch(name, hooked):
    (model, images, labels), attack = hooked, small(name)
    given = {"ingredients": ingredients(attack, model)}
    whole = run_attack(model, attack, Split(images, labels), **given)
    parts = run_attack(model, attack, Split(images, labels), batch_size=5, **given)
    assert torch.equal(parts.queries, whole.queries)
    assert torch.equal(parts.first_success, whole.first_success)


@every_black_box
@pytest.mark.parametrize("queries", [205, 207])
def test_no_budget_is_exceeded(name, queries, hooked):
    (model, images, labels), attack = hooked, small(name, queries)
    # The oracle would raise; here nobody can fall, so that every budget is spent.
    asked = CountingOracle(
        lambda x: torch.tensor([9.0, 0, 0]).expand(len(x), 3) + 0 * x.sum(),
        12,
        queries,
        decisions=attack.access == "decisions",
    )
    rng = SampleRandom(0, name, torch.arange(12))
    labels = torch.zeros(12).long()
    attack(asked, images, labels, rng=rng, **ingredients(attack, model))
    assert (asked.left >= 0).all()


class ThirdTime:
    """Asks twice about the clean image, and in its third run about one that succeeds."""

    access, needs, queries, ball = "scores", frozenset(), 4, Linf(0.5)

    def __call__(self, model, images, labels, *, rng, targets=None, loss=None, until=None):
        where = torch.arange(len(images))
        model(images, where)
        model(images, where)
        if rng.restart < 2:
            return images
        model(images + 0.2, where)
        return images + 0.2


class TooFarFirst(ThirdTime):
    """Asks about a success outside its ball, then about one inside, which it returns."""

    ball = Linf(0.3)

    def __call__(self, model, images, labels, *, rng, targets=None, loss=None, until=None):
        where = torch.arange(len(images))
        model(images + 0.4, where)
        model(images + 0.2, where)
        return images + 0.2


def against_brightness(attack, **more):
    def model(images):
        bright = images.flatten(1).mean(1)
        return torch.stack([bright, torch.full_like(bright, 0.5)], dim=1)

    data = Split(torch.full((3, 1, 2, 2), 0.4), torch.ones(3).long(), ["dark", "light"])
    return run_attack(model, attack, data, **more)


def test_over_restarts_the_numbers_go_on():
    made = against_brightness(ThirdTime(), restarts=5)
    assert made.queries.tolist() == [2 + 2 + 3] * 3
    assert made.first_success.tolist() == [7] * 3


def test_a_success_outside_the_ball_is_not_the_first():
    made = against_brightness(TooFarFirst())
    assert made.success.all() and made.first_success.tolist() == [2] * 3


def test_confirmed_by_the_judge_it_is_the_same(hooked):
    (model, images, labels), attack = hooked, SimBA(ball=Linf(0.02), queries=QUERIES)
    alone = run_attack(model, attack, Split(images, labels))
    confirmed = run_attack(model, attack, Split(images, labels), until="first_success")
    assert torch.equal(alone.first_success, confirmed.first_success)
    assert torch.equal(alone.predictions, confirmed.predictions)


def test_targets_are_what_the_oracle_looks_for(hooked):
    (model, images, labels), attack = hooked, NES(ball=Linf(0.3), queries=600)
    targets = (labels + 1) % 3
    made = run_attack(model, attack, Split(images, labels), targets=targets)
    assert torch.equal(made.success, made.predictions == targets) and made.success.any()
    assert torch.equal(made.first_success > 0, made.success)
