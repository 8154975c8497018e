"""Runs and results that earlier versions wrote are read: a folder for each schema number."""

from pathlib import Path

import pytest

from classward.analysis.analyze import analyze
from classward.records.record import Record
from classward.records.saved import load
from classward.records.sealed import SCHEMA

FOLDERS = sorted((Path(__file__).parent / "schemas").iterdir())


def test_there_is_one_of_every_schema():
    assert [folder.name for folder in FOLDERS] == [str(n) for n in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_old_run_and_its_result_are_read(folder):
    record = Record.open(folder / "record")
    assert record.attack_matrix().shape == (3, 3) and len(record) == 12
    told = load((folder / "analysis.json").read_bytes(), "analysis.json")
    assert told == analyze(record, seed=0)
