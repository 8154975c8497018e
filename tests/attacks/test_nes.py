"""NES against linear models, where the gradient it estimates is known."""

import pytest
import torch

from classward.attacks.nes import NES
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.randomness import SampleRandom
from classward.evaluation.oracle import CountingOracle


class Axes(SampleRandom):
    """Draws the axes of the image one after another, in place of normal noise."""

    def normal(self, shape):
        size = torch.Size(shape).numel()
        axis = torch.eye(size)[self.draws % size].view(1, *shape)
        self.draws += 1
        return axis.expand(len(self.ids), *shape).clone()


def first_score(logits, labels):
    return logits[:, 0]


def oracle(model, n, queries=2000):
    return CountingOracle(model, n, queries, decisions=False)


def one_step(attack, weight, images, rng):
    """Length-1 direction of the first step on a linear score that never decides."""
    asked = oracle(
        lambda x: torch.stack([x.flatten(1) @ weight, 9 + 0 * x.sum((1, 2, 3))], 1),
        n=len(images),
    )
    labels = torch.ones(len(images)).long()
    out = attack(asked, images, labels, rng=rng, loss=first_score)
    step = (out - images).flatten(1)
    return step / step.norm(dim=1, keepdim=True), asked.spent


def test_axes_as_probes_give_the_exact_gradient():
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0])
    attack = NES(ball=L2(0.1), queries=10, population=8, spread=0.01, step_size=0.1)
    images = torch.full((3, 1, 2, 2), 0.5)
    made, spent = one_step(attack, weight, images, Axes(0, "nes", torch.arange(3)))
    torch.testing.assert_close(
        made, (weight / weight.norm()).expand(3, 4), rtol=1e-4, atol=1e-4
    )
    assert spent.tolist() == [10] * 3  # the clean image, eight probes, the new image


@pytest.mark.parametrize(
    ("side", "population", "cosine"), [(32, 50, 0.0893), (16, 100, 0.2471)]
)
def test_cosine_to_the_gradient_is_what_the_dimension_allows(side, population, cosine):
    channels = 3 if side == 32 else 1
    size = channels * side**2
    known = (population / 2 / (population / 2 + size + 1)) ** 0.5
    assert cosine == pytest.approx(known, abs=0.003) or size == 256
    weight = torch.randn(size, generator=torch.Generator().manual_seed(0))
    images = torch.full((40, channels, side, side), 0.5)
    queries = population + 2
    attack = NES(
        ball=L2(0.1), queries=queries, population=population, step_size=0.1, spread=0.01
    )
    made, _ = one_step(attack, weight, images, SampleRandom(0, "nes", torch.arange(40)))
    found = (made @ weight / weight.norm()).mean().item()
    assert found == pytest.approx(known, abs=4 * 0.16 / size**0.5)


@pytest.mark.parametrize(("eps", "falls"), [(0.0599, False), (0.062, True)])
def test_falls_when_the_ball_crosses_the_boundary(linear4, eps, falls):
    asked = oracle(linear4.model, 8)
    rng = SampleRandom(0, "nes", torch.arange(8))
    out = NES(ball=Linf(eps))(asked, linear4.images, linear4.labels, rng=rng, loss=margin)
    assert (linear4.model(out).argmax(1) == 1).tolist() == [falls] * 8
    if falls:
        assert (asked.spent < 2000).all() and (asked.spent - 1).remainder(51).eq(0).all()
    else:
        assert asked.spent.tolist() == [1 + 39 * 51] * 8


def test_a_wrong_sample_costs_one_query_and_stays_as_it_is(linear4):
    asked, labels = oracle(linear4.model, 8), torch.arange(8) % 2
    rng = SampleRandom(0, "nes", torch.arange(8))
    out = NES(ball=Linf(0.01))(asked, linear4.images, labels, rng=rng)
    assert asked.spent[1::2].tolist() == [1] * 4 and (asked.spent[::2] > 1).all()
    assert torch.equal(out[1::2], linear4.images[1::2])


def test_a_probe_outside_the_ball_is_no_success(linear4):
    """Probes as long as this cross the boundary, which the ball does not reach."""
    asked = oracle(linear4.model, 8)
    rng = SampleRandom(0, "nes", torch.arange(8))
    attack = NES(ball=Linf(0.05), spread=0.1)
    out = attack(asked, linear4.images, linear4.labels, rng=rng)
    assert (linear4.model(out).argmax(1) == 0).all()
    assert asked.spent.tolist() == [1 + 39 * 51] * 8


def test_the_step_is_halved_where_the_loss_fell():
    """Each answer is worse than the one before; of a pair the first is better: it goes up."""
    falling = iter(range(10**6))

    def model(images):
        scores = [-float(next(falling)) for _ in images]
        return torch.tensor([[score, 9.0] for score in scores])

    attack = NES(ball=Linf(0.4), queries=1 + 3 * 20, population=2, step_size=0.02)
    asked, rng = oracle(model, 1), Axes(0, "nes", torch.arange(1))
    image, label = torch.full((1, 1, 1, 1), 0.5), torch.ones(1).long()
    out = attack(asked, image, label, rng=rng, loss=first_score)
    known = 4 * 0.02 + 5 * 0.01 + 5 * 0.005 + 5 * 0.0025 + 0.00125
    assert out.item() - 0.5 == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"population": 3}, {"queries": 0}, {"queries": 60}, {"decay": 1.0}, {"step_size": 1e-4}],
)
def test_unfit_options_are_refused(options):
    with pytest.raises(ValueError, match="NES: "):
        NES(**options)


def test_a_model_in_place_of_an_oracle_is_refused(linear4):
    rng = SampleRandom(0, "nes", torch.arange(8))
    with pytest.raises(InputError, match="asks an oracle, no model: use run_attack"):
        NES()(linear4.model, linear4.images, linear4.labels, rng=rng)
