"""Methods by name, on packages made for the test and on the attacks."""

import importlib
import sys

import pytest

import classward.attacks
import classward.defenses
from classward.attacks.deepfool import DeepFool
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.methods import make, methods, read_option


@pytest.fixture
def spells(tmp_path, monkeypatch):
    """A package with one method, one base file of two classes and one of functions."""
    folder = tmp_path / "spells"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "base.py").write_text("class Batch: ...\nclass Spell: ...\n")
    (folder / "helpers.py").write_text("def lift(): ...\nclass _Hidden: ...\n")
    (folder / "fire_ball.py").write_text(
        "from spells.base import Spell\n"
        "class _Spark: ...\n"
        "class FireBall(Spell):\n"
        "    def __init__(self, *, heat=1, norm='plain'):\n"
        "        self.heat, self.norm = heat, norm\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("spells")
    for name in [name for name in sys.modules if name.partition(".")[0] == "spells"]:
        del sys.modules[name]


def test_are_the_files_with_one_public_class(spells):
    assert [(name, cls.__name__) for name, cls in methods(spells).items()] == [
        ("fire_ball", "FireBall")
    ]
    assert methods(classward.attacks)["pgd"] is PGD


def test_without_a_ball_options_stay_what_they_are(spells):
    spell = make(spells, "fire_ball", heat="eps/4", norm="l2")
    assert (spell.heat, spell.norm) == ("eps/4", "l2")


def test_unknown_name_is_refused_with_the_nearest(spells):
    with pytest.raises(
        InputError, match="^unknown spell 'FireBal', the nearest is 'fire_ball'$"
    ):
        make(spells, "FireBal")
    with pytest.raises(InputError, match="unknown attack 'carlini', .*'carlini_wagner'"):
        make(classward.attacks, "carlini")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, PGD()),
        ({"eps": "4/255"}, PGD(ball=Linf(4 / 255))),
        ({"eps": 0.05, "norm": "l2"}, PGD(ball=L2(0.05))),
        ({"norm": "linf"}, PGD()),
        ({"ball": L2(0.05), "step_size": "eps/4"}, PGD(ball=L2(0.05), step_size=0.0125)),
        ({"eps": 1, "step_size": "eps / 10"}, PGD(ball=Linf(1.0), step_size=0.1)),
        ({"step_size": "eps/2"}, PGD(step_size=4 / 255)),
        ({"step_size": "2/255", "steps": 50}, PGD(steps=50)),
    ],
)
def test_radius_and_norm_become_the_ball(given, made):
    assert make(classward.attacks, "pgd", **given) == made


def test_radius_of_a_method_whose_steps_follow_it():
    assert make(classward.attacks, "mim", eps=0.3) == MIM(ball=Linf(0.3))
    assert make(classward.attacks, "deepfool", norm="l2", steps=5) == DeepFool(steps=5)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        (
            "pgd",
            {"eps": 0.3},
            "10 steps of 0.00784314 end short of eps 0.3: set step_size=eps/4",
        ),
        ("pgd", {"eps": 8}, "eps 8 is beyond 1"),
        ("pgd", {"norm": "l2"}, "norm 'l2' needs its own radius: give eps too"),
        ("pgd", {"eps": 0.1, "ball": Linf(0.1)}, "give either ball, or eps and norm"),
        ("pgd", {"step_size": "eps/0"}, "option 'step_size': .*got 'eps/0'"),
        ("pgd", {"ball": "wide"}, "option 'ball.Linf'.* got 'wide'"),
        ("pgd", {"stps": 3}, "PGD: unknown option 'stps', the nearest is 'steps'"),
        ("deepfool", {"eps": 0.1}, "deepfool takes no eps"),
        ("deepfool", {"norm": "l1"}, "DeepFool: option 'norm': .*'l2'"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(name, given, said):
    with pytest.raises(InputError, match=said) as caught:
        make(classward.attacks, name, **given)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50", 50),
        ("1e-3", 0.001),
        ("0.5", 0.5),
        ("0", 0),
        ("false", False),
        ("true", True),
        ('"50"', "50"),
        ("'a b'", "a b"),
        ("2/255", "2/255"),
        ("eps/4", "eps/4"),
        ("linf", "linf"),
        ("False", "False"),
        ("", ""),
        ("[[3, 5], [1, 9]]", [[3, 5], [1, 9]]),
        ("1\nsteps = 2", "1\nsteps = 2"),
    ],
)
def test_read_option(text, value):
    read = read_option(text)
    assert read == value and type(read) is type(value)


def test_what_was_read_is_what_the_options_take():
    written = {"steps": "50", "random_start": "false", "step_size": "2/255", "eps": "8/255"}
    options = {name: read_option(text) for name, text in written.items()}
    assert make(classward.attacks, "pgd", **options) == PGD(steps=50, random_start=False)
    confident = make(classward.attacks, "carlini_wagner", confidence=read_option("0"))
    assert confident.confidence == 0.0
    with pytest.raises(InputError, match="option 'steps': .*integer, got 1000"):
        make(classward.attacks, "pgd", steps=read_option("1e3"))


def test_a_method_without_options_of_its_own_refuses_any():
    with pytest.raises(InputError, match="Standard: unknown option 'epochs', "):
        make(classward.defenses, "standard", epochs=5)
