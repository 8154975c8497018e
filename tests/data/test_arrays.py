import io
import zipfile

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.data.arrays import call_function, read_npz

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 5), dtype=np.uint8)
LABELS = np.array([0, 1, 1, 0])


def saved(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def images_of(data):
    return data.batch(torch.arange(len(data)))


def test_npz_with_and_without_names_and_ids(tmp_path):
    path = saved(tmp_path / "pets.npz", images=PIXELS, labels=LABELS)
    data = read_npz(path)
    assert data.name == "pets" and data.class_names == ["0", "1"]
    assert torch.equal(images_of(data), torch.from_numpy(PIXELS).float() / 255)
    names = np.array([b"cat", b"dog", b"eel"])
    path = saved(path, images=PIXELS / 255, labels=LABELS, class_names=names, ids=[7, 5, 6, 2])
    data = read_npz(path)
    assert data.class_names == ["cat", "dog", "eel"] and data.ids.tolist() == [7, 5, 6, 2]


def test_npz_of_several_parts(tmp_path):
    path = saved(
        tmp_path / "pets.npz",
        train_images=PIXELS,
        train_labels=LABELS,
        test_images=PIXELS[:2],
        test_labels=LABELS[:2],
        test_ids=[8, 9],
        class_names=["cat", "dog"],
    )
    assert read_npz(path, "train").ids.tolist() == [0, 1, 2, 3]
    assert read_npz(path, "test").ids.tolist() == [8, 9]
    with pytest.raises(
        InputError, match=r"pets.npz has no images.npy; it begins with train_im"
    ):
        read_npz(path, "val")


GOOD = {"images": PIXELS, "labels": LABELS}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": PIXELS}, "pets.npz has no labels.npy; it begins with images.npy"),
        ({"image": PIXELS, "labels": LABELS}, "pets.npz has no images.npy"),
        (GOOD | {"images": PIXELS[:0]}, "pets: there are no images"),
        (GOOD | {"images": PIXELS.astype(float)}, "pets: image 0 has a pixel of .*by 255"),
        (GOOD | {"images": np.zeros((4, 8, 8, 3), np.uint8)}, "pets: .*channels last"),
        (GOOD | {"labels": LABELS[:3]}, "pets: labels have shape"),
        (GOOD | {"labels": LABELS.astype(object)}, "labels.npy holds Python objects"),
        (GOOD | {"class_names": np.array(["a", "b"], object)}, "class_names.npy holds Python"),
        (GOOD | {"class_names": np.array([b"a", b"\xff"])}, "cannot be read .UnicodeDecodeErr"),
        (GOOD | {"class_names": np.array("cat")}, "class_names must be a list of names"),
        (GOOD | {"ids": [1, 1, 2, 3]}, r"pets: ids\[1\] is 1 again"),
    ],
)
def test_npz_that_is_no_data_is_refused(tmp_path, arrays, said):
    path = saved(tmp_path / "pets.npz", **arrays)
    with pytest.raises(InputError, match=said) as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)


def test_an_array_that_claims_to_be_large_is_refused(tmp_path):
    header = io.BytesIO()
    claim = {"shape": (1 << 20, 3, 224, 224), "fortran_order": False, "descr": "|u1"}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(tmp_path / "pets.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
        archive.writestr("labels.npy", header.getvalue())
    with pytest.raises(InputError, match="pets.npz cannot be read"):
        read_npz(tmp_path / "pets.npz")


SOURCE = """
import sys
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from classward.data.split import Split

images = np.arange(4 * 3 * 5 * 5, dtype=np.uint8).reshape(4, 3, 5, 5)
labels = np.array([0, 1, 1, 0])
floats = torch.from_numpy(images).float() / 255


@dataclass
class Part:
    name: "str"


class Pairs(Dataset):
    classes = ["cat", "dog"]
    asked = []

    def __len__(self):
        return 4

    def __getitem__(self, row):
        if row >= 4:
            raise IndexError(row)
        self.asked.append(row)
        return floats[row], int(labels[row]), "more"


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(floats[0], 0)])


def arrays():
    return images, labels

def named():
    return [images, labels, ["cat", "dog", "eel"]]

def split_itself():
    return Split(images, labels, name="mine")

def of_part(split):
    return (images[:2], labels[:2]) if split == "test" else (images, labels)

def dataset():
    return Pairs()

def tensors():
    return TensorDataset(floats, torch.from_numpy(labels))

def loader():
    return DataLoader(Pairs(), batch_size=3)

def shuffled():
    return DataLoader(Pairs(), batch_size=3, shuffle=True)

def dropping():
    return DataLoader(Pairs(), batch_size=3, drop_last=True)

def endless():
    return Endless()

def raises():
    raise RuntimeError("first line\\nsecond line " + "x" * 500)

def exits():
    sys.exit("usage: mine")

def nothing():
    return None

def one():
    return (images,)

def wrong():
    return images, labels - 1

def needs(something):
    return images, labels

class Broken(Pairs):
    def __getitem__(self, row):
        return (floats[row] if row < 2 else "no image"), int(labels[row])

def broken():
    return Broken()

constant = 3
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("arrays", ["0", "1"]),
        ("named", ["cat", "dog", "eel"]),
        ("split_itself", ["0", "1"]),
        ("dataset", ["cat", "dog"]),
        ("tensors", ["0", "1"]),
        ("loader", ["0", "1"]),
    ],
)
def test_function_may_return_any_of_these(mine, function, names):
    data = call_function(f"{mine}:{function}")
    assert data.labels.tolist() == [0, 1, 1, 0] and data.class_names == names
    expected = torch.arange(300).remainder(256).view(4, 3, 5, 5) / 255
    torch.testing.assert_close(images_of(data), expected)


def test_function_is_told_the_split_if_it_asks(mine):
    assert len(call_function(f"{mine}:of_part", "test")) == 2
    assert len(call_function(f"{mine}:of_part", "train")) == 4


def test_images_of_a_dataset_are_asked_for_when_a_batch_needs_them(mine):
    data = call_function(f"{mine}:dataset").select(torch.tensor([3, 1]))
    asked = data._images.dataset.asked
    asked.clear()
    data.batch(torch.tensor([1, 0]))
    assert asked == [1, 3]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("missing", "mine.py has no function 'missing'"),
        ("constant", "mine.py has no function 'constant'"),
        ("raises", "mine.py:raises failed: RuntimeError: first line second line x"),
        ("exits", "mine.py:exits failed: SystemExit: usage: mine"),
        ("needs", "mine.py:needs failed: TypeError"),
        ("nothing", r"mine.py:nothing returned a NoneType: return \(images, labels\)"),
        ("one", "mine.py:one returned a tuple"),
        ("endless", "mine.py:endless returned a Endless"),
        ("shuffled", "a DataLoader must keep order and number: no shuffle"),
        ("dropping", "a DataLoader must keep order and number: no shuffle, no drop_last"),
        ("wrong", "wrong: the label of sample 0 is -1"),
    ],
)
def test_what_a_function_does_wrong_is_told_in_one_line(mine, function, said):
    with pytest.raises(InputError, match=said) as caught:
        call_function(f"{mine}:{function}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 120 + len(str(mine)) + 80


def test_an_image_that_fails_later_is_told_too(mine):
    data = call_function(f"{mine}:broken")
    with pytest.raises(InputError, match="mine.py:broken failed: TypeError"):
        data.batch(torch.arange(4))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "mine.py: no such Python file"),
        ("def f(:", "mine.py failed: SyntaxError"),
        ("import no_such_module_at_all", "mine.py failed: ModuleNotFoundError: .*no_such"),
        ("1 / 0", "mine.py failed: ZeroDivisionError"),
    ],
)
def test_a_file_that_cannot_be_run_is_named(tmp_path, source, said):
    path = tmp_path / "mine.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(InputError, match=said):
        call_function(f"{path}:f")
