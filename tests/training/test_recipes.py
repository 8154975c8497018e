import pytest

from classward.core.errors import InputError
from classward.training.recipes import RECIPES, recipe
from classward.training.schedule import Recipe, learning_rate


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_made(name):
    made = recipe(name)
    assert 0 < made.epochs <= 205 and list(made.drops) == sorted(made.drops)


@pytest.mark.parametrize(
    ("name", "epochs", "rates"),
    [
        ("symmetry", 200, {0: 0.1, 99: 0.1, 100: 0.01, 150: 0.001}),
        ("madry", 205, {0: 0.1, 102: 0.1, 103: 0.01, 154: 0.001}),
        ("trades", 76, {0: 0.1, 74: 0.1, 75: 0.01}),
        ("mart", 120, {0: 0.01, 74: 0.01, 75: 1e-3, 90: 1e-4, 100: 1e-5}),
        ("mart_wide", 90, {74: 0.1, 75: 0.01}),
        ("hypersphere", 77, {74: 0.1, 75: 0.01}),
    ],
)
def test_rates_of_the_papers_by_epoch(name, epochs, rates):
    made = recipe(name)
    assert made.epochs == epochs
    for epoch, rate in rates.items():
        progress = epoch * 391 / (epochs * 391)
        assert learning_rate(made, progress) == pytest.approx(rate)


def test_default_is_the_recipe_without_a_name_and_options_change_it():
    assert recipe("default") == Recipe()
    assert recipe("trades", epochs=3).epochs == 3
    assert recipe("trades", epochs=3).weight_decay == 2e-4


def test_unknown_recipe_is_named_with_the_nearest():
    with pytest.raises(InputError, match="unknown recipe 'trade', the nearest is 'trades'"):
        recipe("trade")


def test_unknown_option_is_refused_in_one_line():
    with pytest.raises(ValueError, match="epoch"):
        recipe("trades", epoch=3)
