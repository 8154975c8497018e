import gzip

import numpy as np
import pytest

from classward.core.errors import InputError
from classward.data import idx
from classward.data.idx import image_files, read_idx, read_pair

SHAPE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz"])
def test_arrays_come_back(tmp_path, write, name):
    write.idx(tmp_path / name, SHAPE)
    assert np.array_equal(read_idx(tmp_path / name, 3), SHAPE)


def header(*bytes_):
    return bytes(bytes_)


ONE = header(0, 0, 8, 1, 0, 0, 0, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no idx file of bytes in 1 dimensions"),
        (b"<html>quota exceeded</html>", "is no idx file"),
        (header(0, 0, 8, 3, 0, 0, 0, 3), "is no idx file"),
        (header(0, 0, 13, 1, 0, 0, 0, 3) + bytes(12), "is no idx file"),
        (ONE[:6], "is no idx file"),
        (ONE + b"12", "says it holds 3 bytes, but does not"),
        (ONE + b"1234", "says it holds 3 bytes, but does not"),
        (header(0, 0, 8, 1, 255, 255, 255, 255), "is refused: it says it holds over 1 GiB"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_is_no_such_file_is_named(tmp_path, content, said, ending):
    path = tmp_path / f"labels{ending}"
    path.write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(InputError, match=f"labels{ending} {said}"):
        read_idx(path, 1)


@pytest.mark.parametrize("keep", [5, 25, -4])
def test_a_cut_gz_is_named(tmp_path, keep):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(ONE + b"123")[:keep])
    with pytest.raises(InputError, match=r"labels.gz cannot be read \(\w+Error\)"):
        read_idx(path, 1)


@pytest.mark.parametrize("endings", [("", ""), (".gz", ".gz"), ("", ".gz"), (".gz", "")])
def test_labels_lie_beside_the_images_packed_or_not(tmp_path, write, endings):
    path = tmp_path / f"t10k-images-idx3-ubyte{endings[0]}"
    write.idx(path, SHAPE)
    write.idx(tmp_path / f"t10k-labels-idx1-ubyte{endings[1]}", np.array([7, 8]))
    images, labels = read_pair("mnist", path)
    assert np.array_equal(images, SHAPE[:, None]) and labels.tolist() == [7, 8]


def test_missing_labels_are_named(tmp_path, write):
    write.idx(tmp_path / "t10k-images-idx3-ubyte", SHAPE)
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: no such file"):
        read_pair("mnist", tmp_path / "t10k-images-idx3-ubyte")


def test_the_published_images_of_a_relative_are_refused(tmp_path, write, monkeypatch):
    import hashlib

    digest = hashlib.sha256(SHAPE.tobytes()).hexdigest()
    monkeypatch.setattr(idx, "OWNERS", {digest: "fashion_mnist"})
    path = tmp_path / "train-images-idx3-ubyte"
    write.idx(path, SHAPE)
    write.idx(tmp_path / "train-labels-idx1-ubyte", np.array([0, 1]))
    with pytest.raises(InputError, match="holds the images of fashion_mnist, not of mnist"):
        read_pair("mnist", path)
    assert read_pair("fashion_mnist", path)[1].tolist() == [0, 1]


def test_images_are_looked_for_plain_before_packed_in_each_folder():
    assert image_files("test", ["a", "."]) == [
        "a/t10k-images-idx3-ubyte",
        "a/t10k-images-idx3-ubyte.gz",
        "./t10k-images-idx3-ubyte",
        "./t10k-images-idx3-ubyte.gz",
    ]
