"""The house itself: every method has its file, its test and its card; no file is a giant."""

import re
from pathlib import Path

import pytest

import classward
import classward.attacks
import classward.defenses
from classward.core.methods import methods

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "classward"
PACKAGES = {"attacks": classward.attacks, "defenses": classward.defenses}
NAMES = [(room, name) for room, package in PACKAGES.items() for name in methods(package)]


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_a_method_has_its_file_its_test_and_its_card(room, name):
    for path in (
        SOURCE / room / f"{name}.py",
        ROOT / "tests" / room / f"test_{name}.py",
        ROOT / "docs" / "methods" / f"{name}.md",
    ):
        assert path.is_file(), f"{name} lacks {path.relative_to(ROOT)}"


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_a_method_names_its_source(room, name):
    text = (SOURCE / room / f"{name}.py").read_text()
    assert "Paper:" in text or "Source:" in text


def test_no_file_is_longer_than_300_lines():
    long = [p for p in SOURCE.rglob("*.py") if len(p.read_text().splitlines()) > 300]
    assert long == []


def test_no_room_for_what_has_no_name():
    names = {p.stem for p in SOURCE.rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "misc"}


def test_no_pickle_no_eval_no_assert_on_the_user():
    forbidden = re.compile(
        r"\bimport pickle|\beval\(|\bexec\(|weights_only=False|allow_pickle=True"
    )
    allowed = re.compile(r"\.eval\(|\|safe")
    found = [
        f"{path.name}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        for line in path.read_text().splitlines()
        if forbidden.search(allowed.sub("", line))
    ]
    assert found == []


def test_every_public_name_can_be_imported():
    for name in classward._WHERE:
        assert getattr(classward, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        classward.utils  # noqa: B018
