import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.attacks.deepfool import DeepFool
from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.training.schedule import (
    Recipe,
    attack_at,
    batches,
    epoch_order,
    learning_rate,
    warmed,
)


def test_defaults_are_those_of_the_symmetry_paper():
    recipe = Recipe()
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (200, 128, 0.1)
    assert (recipe.weight_decay, recipe.schedule, recipe.warm_up) == (5e-4, "multi_step", 0.5)
    rates = [learning_rate(recipe, epoch / 200) for epoch in (0, 99, 100, 149, 150, 199)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_one_cycle_rises_to_the_highest_rate_and_falls_to_zero():
    recipe = Recipe(learning_rate=0.2, schedule="one_cycle")
    rates = [learning_rate(recipe, progress) for progress in (0.0, 0.15, 0.3, 0.65, 1.0)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.1, 0])


def test_rate_drops_where_it_is_asked_to():
    recipe = Recipe(drops=[0.25])  # a list, as TOML has it
    rates = [learning_rate(recipe, progress) for progress in (0.0, 0.24, 0.25, 1.0)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("schedule", "cosine"),
        ("warm_up", 1.5),
        ("ema", 1.0),
        ("validation", -1),
        ("checkpoint_every", -1),
        ("drops", [1.5]),
        ("on_collapse", "pray"),
        ("epoch", 3),
    ],
)
def test_unfit_options_are_refused_in_one_line(option, value):
    with pytest.raises(ValueError, match=option) as raised:
        Recipe(**{option: value})
    assert "\n" not in str(raised.value)


def test_order_is_a_permutation_fixed_by_seed_and_epoch():
    orders = [epoch_order(seed, epoch, 50) for seed in (0, 1) for epoch in (0, 1)]
    assert all(order.sort().values.tolist() == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(epoch_order(1, 1, 50), orders[3])


@given(count=st.integers(1, 40), size=st.integers(8, 12), least=st.sampled_from([2, 4, 8]))
def test_batches_hold_every_image_once_and_never_too_few(count, size, least):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    cut = batches(order, size, least)
    assert torch.equal(torch.cat(cut), order)
    assert all(len(batch) >= least for batch in cut) or len(cut) == 1
    assert all(len(batch) == size for batch in cut[:-1])
    assert len(cut[-1]) < size + least


def test_attack_grows_over_the_warm_up_and_then_is_itself():
    recipe, attack = Recipe(warm_up=0.5), FGSM(ball=Linf(0.2))
    assert attack_at(recipe, attack, 0.25) == FGSM(ball=Linf(0.1))
    assert attack_at(recipe, attack, 0.5) is attack
    assert attack_at(recipe, None, 0.25) is None


@settings(max_examples=50)
@given(
    eps=st.floats(0.001, 1),
    steps=st.integers(1, 100),
    share=st.one_of(st.just(0.0), st.floats(1e-9, 1)),
    kind=st.sampled_from([Linf, L2]),
)
def test_warmed_attack_is_the_same_attack_in_a_smaller_ball(eps, steps, share, kind):
    attack = PGD(ball=kind(eps), step_size=eps / steps, steps=steps)
    small = warmed(attack, share)
    assert type(small.ball) is kind and small.ball.eps == share * eps
    assert (small.steps, small.random_start) == (steps, True)
    assert small.step_size == (share or 1) * attack.step_size
    assert attack.ball.eps == eps, "the attack given was changed"


def test_attacks_without_a_step_size_are_warmed_too():
    assert warmed(FGSM(ball=Linf(0.2)), 0.5) == FGSM(ball=Linf(0.1))


def test_attack_without_a_ball_is_refused():
    with pytest.raises(InputError, match="DeepFool has no ball to warm up: set warm_up=0"):
        warmed(DeepFool(), 0.5)
