import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.core.errors import InputError
from classward.records.rows import RowFile, Rows

TABLE = torch.arange(60.0).view(20, 3)


def in_file(path, table):
    np.save(path, table.numpy())
    return RowFile.of(path)


@pytest.fixture
def rows(tmp_path):
    parts = TABLE.split([7, 1, 12])
    return Rows([in_file(tmp_path / f"{i}.npy", part) for i, part in enumerate(parts)])


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6))
def test_any_rows_of_any_parts_are_those_of_the_joined_table(data, sizes):
    count = sum(size for size, _ in sizes)
    table = torch.rand(count, 4, generator=torch.Generator().manual_seed(count))
    index = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), max_size=12))).long()
    step = data.draw(st.integers(1, 9))
    with tempfile.TemporaryDirectory() as folder:
        parts = [
            in_file(Path(folder, f"{i}.npy"), part) if on_disk else part
            for i, (part, (_, on_disk)) in enumerate(
                zip(table.split([size for size, _ in sizes]), sizes, strict=True)
            )
        ]
        rows = Rows(parts)
        assert (len(rows), rows.shape) == (count, (count, 4))
        assert torch.equal(rows.take(index), table[index])
        assert torch.equal(rows.all(), table)
        chunks = list(rows.chunks(step))
    assert [len(chunk) for chunk in chunks] == [len(part) for part in table.split(step)]
    assert torch.equal(torch.cat(chunks), table)


def test_what_is_taken_is_a_copy(rows):
    for table in (rows, Rows([TABLE.clone()])):
        table.take(torch.tensor([0, 1])).zero_()
        assert torch.equal(table.all(), TABLE)


def test_one_table_in_memory_is_not_copied():
    assert Rows([TABLE]).all().data_ptr() == TABLE.data_ptr()
    assert torch.equal(Rows([TABLE[:5], TABLE[5:]]).all(), TABLE)


@pytest.mark.parametrize("index", [[20], [3, -1], [2, 99]])
def test_a_row_that_is_not_there(rows, index):
    for table in (rows, Rows([TABLE])):
        with pytest.raises(IndexError, match="out of range"):
            table.take(torch.tensor(index))


def test_files_are_open_only_while_they_are_read(rows):
    before = sorted(os.listdir("/proc/self/fd"))
    rows.take(torch.tensor([0, 19]))
    next(rows.chunks(5))
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_tables_of_other_widths_do_not_fit():
    with pytest.raises(InputError, match=r"tables of \[2, 3\] columns"):
        Rows([TABLE, torch.zeros(1, 2)])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3)),
        np.zeros((2, 3), ">f4"),
        np.zeros(3, "f4"),
        np.asfortranarray(np.ones((2, 3), "f4")),
    ],
)
def test_a_file_of_something_else(tmp_path, wrong):
    np.save(tmp_path / "a.npy", wrong)
    with pytest.raises(InputError, match=r"a.npy: not a table of float32"):
        RowFile.of(tmp_path / "a.npy")


def test_a_file_that_is_no_array(tmp_path):
    (tmp_path / "a.npy").write_text("text")
    with pytest.raises(InputError, match=r"a.npy: not a .npy file of numbers"):
        RowFile.of(tmp_path / "a.npy")
    with open(tmp_path / "a.npy", "wb") as file:
        np.savez(file, a=np.zeros((2, 3), "f4"))
    with pytest.raises(InputError, match=r"a.npy: not a .npy file of numbers"):
        RowFile.of(tmp_path / "a.npy")


def replaced(path):
    np.save(path.with_suffix(".new.npy"), np.zeros((7, 3), "f4"))
    os.replace(path.with_suffix(".new.npy"), path)


@pytest.mark.parametrize("change", [replaced, Path.unlink, lambda path: os.truncate(path, 150)])
def test_a_file_that_changed_since_it_was_opened_is_never_read(rows, change):
    path = rows.parts[0].path
    change(path)
    with pytest.raises(InputError, match=r"0.npy: gone or changed .* open it anew"):
        rows.take(torch.tensor([6]))
    assert torch.equal(rows.take(torch.tensor([7])), TABLE[7:8]), "the others are as they were"
