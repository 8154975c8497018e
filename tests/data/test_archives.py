import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest

from classward.core.errors import InputError, SystemFaultError
from classward.data import archives
from classward.data.archives import opened_zip, read_array, read_members, reading


def arrays(path):
    with opened_zip(path) as archive:
        return read_array(archive, "a.npy")


def test_arrays_come_back(tmp_path, write):
    path = write.zip(tmp_path / "a.zip", {"a.npy": write.npy(np.arange(6).reshape(2, 3))})
    assert arrays(path).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_python_objects_are_refused_and_never_made(tmp_path, write):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    file = io.BytesIO()
    np.save(file, np.array([Trap()], dtype=object), allow_pickle=True)
    path = write.zip(tmp_path / "a.zip", {"a.npy": file.getvalue()})
    with pytest.raises(InputError, match="a.npy holds Python objects: save a plain array"):
        arrays(path)
    assert not (tmp_path / "sprung").exists()


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(100_000))


def lying_header(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": (1 << 40,), "fortran_order": False, "descr": "<f8"}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header.getvalue())


def flipped_bit(path):
    with zipfile.ZipFile(path, "w") as archive:
        file = io.BytesIO()
        np.save(file, np.zeros(1000))
        archive.writestr("a.npy", file.getvalue())
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


def twice(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", b"2")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b""), "cannot be read .BadZipFile."),
        (lambda path: path.write_bytes(b"<html>quota</html>"), "cannot be read .BadZipFile."),
        (lambda path: path.mkdir(), "cannot be read .IsADirectoryError."),
        (bomb, "is refused: it unpacks to over"),
        (lying_header, "cannot be read"),
        (flipped_bit, "cannot be read .BadZipFile."),
        (twice, "two of its members have one name"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "has no a.npy"),
    ],
)
def test_a_zip_that_is_none_is_named(tmp_path, monkeypatch, make, said):
    path = tmp_path / "data.zip"
    monkeypatch.setattr(archives, "LARGEST_ZIP", 50_000)
    make(path)
    with pytest.raises(InputError, match=f"data.zip.*{said}"):
        arrays(path)


def test_members_are_read_in_the_order_asked(tmp_path, write):
    members = [("x/two.bin", b"2"), ("x/other.bin", b"-"), ("x/one.bin", b"1")]
    path = write.tar(tmp_path / "a.tar.gz", members)
    assert read_members(path, ["one.bin", "two.bin"]) == [b"1", b"2"]
    for name, content in members:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_members(tmp_path / "x", ["one.bin", "two.bin"]) == [b"1", b"2"]


def test_hostile_members_are_never_written_or_followed(tmp_path):
    path, outside = tmp_path / "in" / "a.tar.gz", tmp_path / "one.bin"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in [("one.bin", tarfile.SYMTYPE), ("two.bin", tarfile.LNKTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            archive.addfile(info)
        info = tarfile.TarInfo("../one.bin")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"out"))
    assert read_members(path, ["one.bin"]) == [b"out"]
    assert not outside.exists() and [*path.parent.iterdir()] == [path]
    with pytest.raises(InputError, match="has no two.bin"):
        read_members(path, ["two.bin"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-30], "cannot be read"),
        (lambda content: content[:40] + bytes(9) + content[49:], "cannot be read"),
        (lambda content: b"", "cannot be read"),
        (lambda content: b"<html>" * 99, "cannot be read .BadGzipFile."),
        (lambda content: gzip.compress(b"<html>" * 99), "cannot be read .ReadError."),
    ],
)
def test_a_damaged_tar_is_named(tmp_path, write, change, said):
    noise = np.random.default_rng(0).bytes(3000)
    path = write.tar(tmp_path / "a.tar.gz", [("x/one.bin", noise)])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=f"a.tar.gz {said}"):
        read_members(path, ["one.bin"])


def test_no_flipped_bit_of_a_tar_passes(tmp_path, write):
    rng = np.random.default_rng(0)
    path = write.tar(tmp_path / "a.tar.gz", [("x/one.bin", rng.bytes(500) + bytes(500))])
    whole, expected = path.read_bytes(), read_members(path, ["one.bin"])
    refused = 0
    for place in rng.integers(0, len(whole), 150):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            assert read_members(path, ["one.bin"]) == expected  # the name or time of the file
        except InputError:
            refused += 1
    assert refused > 130


def test_a_tar_that_is_too_large_or_ambiguous_is_refused(tmp_path, write, monkeypatch):
    path = write.tar(tmp_path / "a.tar.gz", [("x/one.bin", b"1"), ("y/one.bin", b"2")])
    with pytest.raises(InputError, match="one.bin comes twice"):
        read_members(path, ["one.bin"])
    monkeypatch.setattr(archives, "LARGEST_FILE", 600)
    with pytest.raises(InputError, match="unpacks to over"):
        read_members(path, ["one.bin"])


def test_a_missing_file_of_a_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="one.bin: no such file"):
        read_members(tmp_path, ["one.bin"])


def test_a_refused_permission_is_the_fault_of_the_system(tmp_path):
    with pytest.raises(SystemFaultError, match="may not be read"), reading(tmp_path):
        raise PermissionError
