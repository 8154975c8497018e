"""`report --table`: the rows of a saved result for other programs."""

import csv

import pytest

SUBJECT = ("--model", "mine.py:model", "--data", "digits", "--samples", "40", "--eps", "0.1")


@pytest.fixture
def audited(cli):
    assert cli("audit", *SUBJECT, "--out", "run").code in (0, 4)


def test_rows_are_written_beside_the_page(cli, audited, tmp_path):
    made = cli("report", "run", "--table", "classes.csv")
    assert made.code == 0 and "table: " in made.err and "report: " in made.err
    with (tmp_path / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list("0123456789")
    assert all(0 <= float(row["robust"]) <= float(row["clean"]) <= 1 for row in rows)


def test_another_kind_of_file_is_refused_before_the_page_is_written(cli, audited, tmp_path):
    made = cli("report", "run", "--out", "page.html", "--table", "classes.xlsx")
    assert made.code == 2 and ".csv or .parquet" in made.err
    assert not (tmp_path / "page.html").exists()
