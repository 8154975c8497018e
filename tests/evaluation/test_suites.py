"""What may be called AutoAttack, and what may not."""

from dataclasses import replace

import pytest

from classward.attacks.apgd import APGD
from classward.attacks.fab import FAB
from classward.attacks.pgd import PGD
from classward.attacks.square import Square
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.evaluation.suites import Entry, Suite, aa_lite, autoattack

BALL = Linf(8 / 255)


def test_standard_is_the_official_one():
    suite = autoattack(BALL)
    assert suite.name == "AutoAttack standard"
    assert list(suite.entries.items()) == [
        ("apgd_ce", Entry(attack=APGD(ball=BALL, steps=100))),
        (
            "apgd_t",
            Entry(
                attack=APGD(ball=BALL, objective="dlr_targeted", steps=100, target_classes=9)
            ),
        ),
        ("fab_t", Entry(attack=FAB(ball=BALL, steps=100, target_classes=9))),
        ("square", Entry(attack=Square(ball=BALL, queries=5000))),
    ]


def test_plus_and_rand_are_the_official_ones():
    plus = autoattack(L2(0.5), "plus").entries
    assert list(plus) == ["apgd_ce", "apgd_dlr", "fab", "square", "apgd_t", "fab_t"]
    assert [entry.restarts for entry in plus.values()] == [5, 5, 5, 1, 1, 1]
    assert plus["fab"].attack == FAB(ball=L2(0.5), targeted=False)
    assert plus["apgd_dlr"].attack == APGD(ball=L2(0.5), objective="dlr")
    rand = autoattack(BALL, "rand").entries
    assert list(rand) == ["apgd_ce", "apgd_dlr"]
    assert [entry.draws for entry in rand.values()] == [20, 20]
    assert [entry.restarts for entry in rand.values()] == [1, 1]


def test_a_shortened_suite_has_another_name():
    suite = aa_lite(BALL, steps=20, target_classes=3, queries=500)
    assert suite.name == "aa-lite(steps=20, target_classes=3, queries=500)"
    assert str(suite.entries["apgd_t"]) == (
        f"{APGD(ball=BALL, objective='dlr_targeted', steps=20, target_classes=3)}"
    )


def without(entries, name):
    return {key: entry for key, entry in entries.items() if key != name}


def changed(entries, name, **options):
    return entries | {name: replace(entries[name], **options)}


OFFICIAL = autoattack(BALL).entries


@pytest.mark.parametrize("name", ["AutoAttack standard", "Auto-Attack", "my autoattack lite"])
@pytest.mark.parametrize(
    "entries",
    [
        without(OFFICIAL, "square"),
        dict(reversed(OFFICIAL.items())),
        changed(OFFICIAL, "apgd_ce", attack=APGD(ball=BALL, steps=50)),
        changed(OFFICIAL, "square", attack=Square(ball=BALL, queries=1000)),
        changed(OFFICIAL, "fab_t", attack=FAB(ball=Linf(4 / 255))),
        changed(OFFICIAL, "apgd_t", restarts=2),
        {"pgd": Entry(attack=PGD())},
    ],
)
def test_nothing_else_may_be_called_autoattack(name, entries):
    with pytest.raises(InputError, match="differs from the official AutoAttack"):
        Suite(name=name, entries=entries)
    assert Suite(name="mine", entries=entries).entries == entries


def test_the_version_belongs_to_the_name():
    with pytest.raises(InputError, match="AutoAttack plus"):
        Suite(name="AutoAttack plus", entries=OFFICIAL)
    assert Suite(name="AutoAttack standard", entries=OFFICIAL) == autoattack(BALL)


def test_a_suite_has_an_attack():
    with pytest.raises(InputError, match="'mine' has no attack"):
        Suite(name="mine", entries={})


def test_an_entry_says_what_it_runs():
    entry = Entry(attack=PGD(), restarts=5, draws=20)
    assert str(entry) == f"{PGD()}, 5 runs, gradients of 20 draws"
    assert str(Entry(attack=PGD())) == str(PGD())
