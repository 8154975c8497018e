"""`classward reproduce`, end to end on a table of digits."""

import json

import pytest
from crashes import TABLE

from classward.records.sealed import seal, unseal


@pytest.fixture
def table(tmp_path):
    (tmp_path / "mine.toml").write_text(TABLE)
    return tmp_path


def test_runs_a_table_keeps_it_and_goes_on(cli, table):
    said = cli("reproduce", "mine.toml", "--out", "r")
    assert said.code == 0, said.err
    assert "1 of 1: mine.toml" in said.err and "report: r/results/mine.html" in said.err
    assert "40.5%" in said.out and "Ours" in said.out
    kept = (table / "r/results/mine.json").read_bytes()
    again = cli("reproduce", "mine.toml", "--out", "r", "--json")
    assert "mine.toml, kept" in again.err
    (told,) = json.loads(again.out)
    assert [cell["printed"] for cell in told["cells"]] == [0.8, 0.405]
    assert (table / "r/results/mine.json").read_bytes() == kept
    anew = cli("reproduce", "mine.toml", "--out", "r", "--again", "--json")
    assert "kept" not in anew.err
    assert json.loads(anew.out)[0]["cells"] == told["cells"]


def test_against_an_earlier_run(cli, table):
    assert cli("reproduce", "mine.toml", "--out", "r").code == 0
    same = cli("reproduce", "mine.toml", "--out", "s", "--against", "r/results")
    assert same.code == 0
    assert "mine.toml: 2 of 2 numbers within the kept intervals" in same.err
    file = table / "r/results/mine.json"
    other = unseal(json.loads(file.read_text()), file, needed=True)
    other["cells"][0] |= {"value": 0.0, "low": 0.0, "high": 0.001}
    file.write_text(seal(other))
    left = cli("reproduce", "mine.toml", "--out", "s", "--against", "r/results")
    assert left.code == 1
    assert "outside: Ours, Clean: " in left.err and "1 of 2 numbers" in left.err
    none = cli("reproduce", "mine.toml", "--out", "s", "--against", "nowhere")
    assert none.code == 2 and "--against nowhere: has no mine.toml" in none.err


def test_claims_of_nothing_lack_everything(cli, tmp_path):
    said = cli("reproduce", "claims", "--out", "r", "--json")
    assert said.code == 0, said.err
    (told,) = json.loads(said.out)
    assert {decision["outcome"] for decision in told["decisions"]} == {"lacks"}
    assert (tmp_path / "r/claims.md").read_text().startswith("# Claims of the papers")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("symmetry/table9",), "no table 'symmetry/table9'; there are symmetry/"),
        (("absent.toml",), "absent.toml: cannot be read (No such file or directory)"),
        (("mine.toml", "--scale", "paper"), "mine.toml has no scale paper, it has small"),
        (("symmetry/fig1",), "cifar10_resnet20_std.safetensors is not in --data-root"),
        (("mine.toml", "--device", "gpu"), "gpu"),
    ],
)
def test_bad_input_is_one_line(cli, table, asked, said):
    told = cli("reproduce", *asked, "--out", "r")
    assert told.code == 2
    assert said in told.err
    assert not list(table.glob("r/results/**/*.json"))


def test_a_folder_of_other_settings_is_refused(cli, table):
    assert cli("reproduce", "mine.toml", "--out", "r").code == 0
    told = cli("reproduce", "mine.toml", "--out", "r", "--seed", "1")
    assert told.code == 2 and "seed" in told.err
