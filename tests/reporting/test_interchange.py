"""Results as tables for other programs and as cells of a notebook."""

import csv
import json
import sys

import pytest

import classward
from classward.core.errors import InputError
from classward.records.result import Share
from classward.records.table_file import flat


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_csv_has_a_column_for_every_value(tmp_path, audit_of):
    analysis = audit_of(names=['a,"b', "=c", "猫"], empty=(1,)).analysis
    classward.write_table(analysis, tmp_path / "classes.csv")
    rows = read(tmp_path / "classes.csv")
    assert [row["name"] for row in rows] == analysis.classes
    for row, entry in zip(rows, analysis.per_class, strict=True):
        value = entry.robust.value
        assert row["robust.value"] == ("" if value is None else repr(value))


def test_every_result_is_a_table(tmp_path, every_result):
    for number, result in enumerate(every_result.values()):
        path = tmp_path / f"{number}.csv"
        classward.write_table(result, path)
        assert len(read(path)) == len(result.rows())


def test_a_parquet_is_the_same_table(tmp_path, audit_of):
    parquet = pytest.importorskip("pyarrow.parquet")
    audit = audit_of(classes=4, empty=(2,))
    classward.write_table(audit, tmp_path / "classes.parquet")
    kept = parquet.read_table(tmp_path / "classes.parquet").to_pylist()
    assert kept == [flat(row) for row in audit.rows()]


def test_other_files_and_a_missing_pyarrow_are_one_line(tmp_path, audit_of, monkeypatch):
    audit = audit_of(classes=3)
    with pytest.raises(InputError, match=r"written as \.csv or \.parquet"):
        classward.write_table(audit, tmp_path / "classes.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"classward\[tables\]"):
        classward.write_table(audit, tmp_path / "classes.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_the_verdict_with_the_number(audit_of):
    audit = audit_of(names=["<script>", "b", "c"], empty=(1,))
    said = audit._repr_html_()
    assert f"{audit.robust_accuracy:.1%}" in said and audit.verdict in said
    assert f"{audit.interval[0]:.1%} to {audit.interval[1]:.1%}" in said
    assert "<script>" not in said and "&lt;script&gt;" in said and "undefined" in said
    assert "None" not in said and said.count("<tr>") == 4


def test_every_result_is_small_in_a_notebook(every_result, audit_of):
    for result in [*every_result.values(), audit_of(classes=1000)]:
        said = result._repr_html_()
        assert said.startswith("<p><b>") and len(said) < 20_000
    assert "980 more" in audit_of(classes=1000)._repr_html_()


def test_a_share_shows_its_interval():
    share = Share(count=1, total=4, value=0.25, low=0.0456, high=0.699)
    assert "Share" in share._repr_html_() and "<td>0.25</td>" in share._repr_html_()
    assert json.dumps(flat({"a": share.to_dict()})).count("a.") == 5
