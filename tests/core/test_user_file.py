"""Functions of a Python file; whoever calls `user_function` words what the file raises."""

import sys

import pytest

from classward.core.errors import InputError
from classward.core.user_file import user_function

FILE = """
from dataclasses import dataclass
from functools import partial

@dataclass
class Options:
    depth: "int" = 3

def depth():
    return Options().depth

deeper = partial(int, 5)
constant = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop("classward_user_mine", None)


@pytest.mark.parametrize(("name", "answer"), [("depth", 3), ("deeper", 5)])
def test_is_found_and_can_be_called(file, name, answer):
    assert user_function(file, name)() == answer
    assert user_function(str(file), name)() == answer


def test_a_path_from_the_working_folder_will_do(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert user_function("mine.py", "depth")() == 3


def test_the_file_is_run_anew_each_time(file):
    before = user_function(file, "depth")
    file.write_text(FILE.replace("= 3", "= 4"))
    assert (before(), user_function(file, "depth")()) == (3, 4)


@pytest.mark.parametrize("name", ["Dept", "depht", "constant", ""])
def test_what_is_no_function_is_refused_with_the_nearest(file, name):
    with pytest.raises(InputError, match=rf"mine\.py has no function '{name}', the nearest is"):
        user_function(file, name)


def test_imported_names_are_not_suggested(file):
    file.write_text("from functools import partial\n")
    with pytest.raises(InputError, match=r"mine\.py has no function 'partia', it has none$"):
        user_function(file, "partia")


@pytest.mark.parametrize("name", ["missing.py", "folder.py", "mine.txt"])
def test_what_is_no_python_file_is_refused(file, name):
    (file.parent / "folder.py").mkdir()
    (file.parent / "mine.txt").write_text(FILE)
    with pytest.raises(InputError, match=f"{name}: no such Python file$"):
        user_function(file.parent / name, "depth")


def test_what_the_file_raises_is_passed_on(file):
    file.write_text("raise KeyError('mine')\n")
    with pytest.raises(KeyError, match="mine"):
        user_function(file, "depth")
