"""`classward attack --join`: what it takes up, and what it refuses."""

import json

import pytest

from classward.records.run_folder import RunFolder

ATTACK = (
    "attack", "--model", "mine.py:model", "--data", "digits", "--samples", "20",
    "--attack", "fgsm", "--eps", ".1",
)  # fmt: skip


def test_who_joins_makes_or_takes_up_the_record(cli):
    told = [cli(*ATTACK, "--out", "run", "--join", "--json") for _ in range(2)]
    assert [said.code for said in told] == [0, 0], told[-1].err
    first, second = (json.loads(said.out) for said in told)
    assert first == second and first["samples"] == 20
    assert cli(*ATTACK, "--out", "run", "--resume").code == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--out", "run", "--join", "--seed", "1"), "its seed is 0, now 1"),
        (("--out", "run", "--join", "--overwrite"), "join and overwrite exclude each other"),
        (("--join",), "--join needs --out"),
        (("--out", "run"), "holds a run; pass --resume"),
        (("--out", ".", "--join"), "holds files that are not of a run"),
    ],
)
def test_what_cannot_be_joined(cli, how, said):
    assert cli(*ATTACK, "--out", "run", "--join").code == 0
    refused = cli(*ATTACK, *how)
    assert (refused.code, said in refused.err.splitlines()[-1]) == (2, True), refused.err


def test_a_folder_is_shared_by_all_or_by_none(cli, tmp_path):
    assert cli(*ATTACK, "--out", "run", "--join").code == 0
    settings = RunFolder.open(tmp_path / "run").settings
    for ours, theirs in (("resume", "--join"), ("join", "--resume")):
        with RunFolder.create(tmp_path / "run", "attack", settings, **{ours: True}):
            refused = cli(*ATTACK, "--out", "run", theirs)
        assert refused.code == 2 and "in use by another process" in refused.err
