"""Tables of numbers: what is written is read, and what is no table is refused in one line."""

import sys

import numpy as np
import pytest

from classward.core.errors import InputError
from classward.data.tables import KINDS, read_column, read_table, table_bytes

LOGITS = np.random.default_rng(0).normal(scale=20, size=(7, 5)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(tmp_path, kind):
    if kind == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"logits{kind}"
    path.write_bytes(table_bytes(LOGITS, path))
    assert np.array_equal(read_table(path).astype(np.float32), LOGITS)


@pytest.mark.parametrize("header", ["", "cat,dog,frog\n", "\ufeffcat,dog,frog\n"])
def test_a_csv_with_and_without_header(tmp_path, header):
    path = tmp_path / "logits.csv"
    path.write_text(header + "1,2,3\n-4.5,5e-1,6\n", encoding="utf-8")
    assert read_table(path).tolist() == [[1, 2, 3], [-4.5, 0.5, 6]]


def test_labels_in_a_column(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("label\n3\n0\n")
    assert read_column(path).tolist() == [3, 0] and read_column(path).dtype == np.int64
    np.save(tmp_path / "l.npy", np.array([1, 2]))
    assert read_column(tmp_path / "l.npy").tolist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("l.txt", "1,2", "ends in .npy, .csv, .parquet"),
        ("l.csv", "", "table of numbers|cannot be read"),
        ("l.csv", "a,b\n", "table of numbers"),
        ("l.csv", "1,2\n3\n", "cannot be read"),
        ("l.csv", "1,2\n3,dog\n", "cannot be read"),
        ("l.npy", "1,2\n", "cannot be read"),
        ("l.parquet", "1,2\n", "cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_refused(tmp_path, name, content, said):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        read_table(path)
    assert len(str(caught.value).splitlines()) == 1


def test_more_than_a_column(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("1,2\n3,4\n")
    with pytest.raises(InputError, match=r"one column, got shape \(2, 2\)"):
        read_column(path)


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "l.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="pip install pyarrow"):
        read_table(tmp_path / "l.parquet")
