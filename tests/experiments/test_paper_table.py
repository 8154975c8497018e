import pytest

import classward.attacks
from classward.core.errors import InputError
from classward.core.methods import make
from classward.experiments.paper_table import named_tables, paper_tables, read_table
from classward.experiments.reproduce import MEASURES
from classward.experiments.shelf import Shelf
from classward.training.schedule import Recipe

HEAD = """
paper = "symmetry"
label = "Table 9"
title = "A table"
section = "Here"
setting = "nothing"
unit = "percent"
measure = "accuracy"
columns = ["Clean"]
"""
WHOLE = HEAD + '[printed]\n"A.T." = [50]\n[asked]\nsamples = 3\n[scale.small]\nsamples = 4\n'


@pytest.fixture
def written(tmp_path):
    def write(text):
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return str(file)

    return write


def groups_of(asked):
    if not isinstance(asked, dict):
        return set()
    named = {asked["group"]} if isinstance(asked.get("group"), str) else set()
    return named.union(*map(groups_of, asked.values()))


@pytest.mark.parametrize("scale", ["small", "medium", "paper"])
@pytest.mark.parametrize("name", paper_tables())
def test_every_file_has_every_scale_and_its_groups_exist(name, scale, tmp_path):
    table = read_table(name, scale)
    shelf = Shelf(
        path=tmp_path, scale=scale, data_root=None, seed=0, run={}, tell=lambda *told: None
    )
    for group in groups_of(dict(table.asked)):
        asked = shelf.group(group)
        assert asked["model"] and asked["data"]
        if "recipe" in asked:
            Recipe(**asked["recipe"])
        if "attack" in asked:
            make(classward.attacks, asked["attack"].pop("name"), **asked["attack"])


@pytest.mark.parametrize("name", paper_tables())
def test_every_file_of_the_package_is_one_and_its_measure_exists(name):
    table = read_table(name, "small")
    module = __import__(f"{MEASURES}.{table.measure}", fromlist=["_"])
    assert callable(getattr(module, table.measure))
    for row, entries in table.printed.items():
        assert len(entries) == len(table.columns), row


def test_the_options_of_a_scale_lie_over_those_of_all(written):
    table = read_table(written(WHOLE), "small")
    assert table.asked == {"samples": 4}
    deep = WHOLE.replace("samples = 3", "rows = {a = {b = 1, c = 2}}").replace(
        "samples = 4", "rows = {a = {b = 3}, d = {}}"
    )
    assert read_table(written(deep), "small").asked == {
        "rows": {"a": {"b": 3, "c": 2}, "d": {}}
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace('unit = "percent"', ""), "mine.toml: lacks 'unit'"),
        (WHOLE.replace("[asked]", "[aksed]"), "mine.toml: unknown key 'aksed'"),
        (WHOLE.replace("scale.small", "scale.paper"), "has no scale small, it has paper"),
        ("= 3", "not a TOML file"),
    ],
)
def test_a_file_that_is_none_is_named(written, text, said):
    with pytest.raises(InputError, match=said):
        read_table(written(text), "small")


def test_names_of_several():
    assert named_tables("logits/table1") == ["logits/table1"]
    assert all(name.startswith("logits/") for name in named_tables("logits"))
    assert named_tables("all") == paper_tables()
    assert named_tables("my.toml") == ["my.toml"]
    with pytest.raises(InputError, match=r"no table 'table1'; there are symmetry/all_pairs"):
        named_tables("table1")
    with pytest.raises(InputError, match=r"absent.toml: cannot be read"):
        read_table("absent.toml", "small")
