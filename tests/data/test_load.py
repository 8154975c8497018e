import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from classward.core.errors import InputError
from classward.data import load as load_module
from classward.data.load import data_names, load_data

FOLDER = Path(load_module.__file__).parent


def test_names_are_those_of_the_folder():
    assert data_names() == [
        "cifar10", "cifar100", "digits", "fashion_mnist",
        "imagenet_sample", "mnist", "svhn", "tiny_imagenet",
    ]  # fmt: skip


def test_a_new_file_of_the_folder_is_a_new_name(tmp_path, monkeypatch):
    """Adding a set is adding a file."""
    monkeypatch.setattr("classward.data.__path__", [str(FOLDER), str(tmp_path)])
    (tmp_path / "stripes.py").write_text(
        "import torch\n"
        "from classward.data.split import Split\n"
        "SPLITS = ('test',)\n"
        "def load(split, root=None):\n"
        "    return Split(torch.zeros(4, 1, 2, 2), [0, 1, 0, 1], name=split)\n"
    )
    assert "stripes" in data_names()
    assert load_data("stripes").name == "stripes test"
    del sys.modules["classward.data.stripes"]


@pytest.mark.parametrize("samples", [20, "20", "first:20"])
def test_samples_are_taken(samples):
    data = load_data("digits", split="train", samples=samples)
    whole = load_data("digits", split="train")
    assert data.ids.tolist() == whole.take(samples).ids.tolist() and len(data) == 20


def test_a_path_is_a_folder_an_npz_or_a_function(tmp_path, write, monkeypatch):
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.png").write_bytes(write.picture(pixels[0]))
    np.savez(tmp_path / "pets.npz", images=pixels.transpose(0, 3, 1, 2), labels=[0, 1])
    (tmp_path / "pets.py").write_text("def f(): raise ValueError('mine')")
    assert load_data(tmp_path / "pets").class_names == ["cat", "dog"]
    assert load_data(str(tmp_path / "pets.npz")).class_names == ["0", "1"]
    with pytest.raises(InputError, match="pets.py:f failed: ValueError: mine"):
        load_data(f"{tmp_path}/pets.py:f")
    monkeypatch.chdir(tmp_path)
    assert len(load_data("pets")) == len(load_data("pets.npz")) == 2


def test_root_is_where_files_are_looked_for(tmp_path, write):
    write.pair(tmp_path / "there" / "mnist")
    assert len(load_data("mnist", root=tmp_path / "there")) == 12
    assert len(load_data("mnist", root=str(tmp_path / "there"))) == 12


REFUSED = [
    (
        {"name": "cifar_10"},
        "no data 'cifar_10', the nearest name is 'cifar10'; or give a folder",
    ),
    ({"name": "digit"}, "the nearest name is 'digits'"),
    ({"name": "split"}, "no data 'split', the nearest name is"),
    ({"name": "load"}, "no data 'load', the nearest name is"),
    ({"name": "../digits"}, "no data '../digits', the nearest name is 'digits'"),
    ({"name": ""}, "no data '', the nearest name is"),
    ({"name": "no/such/folder"}, "no data 'no/such/folder'"),
    ({"name": "missing.npz"}, "missing.npz: no such file"),
    ({"name": "missing.py:f"}, "missing.py: no such Python file"),
    ({"name": "digits", "split": "val"}, "digits has no split 'val', it has: train, test"),
    ({"name": "imagenet_sample", "split": "train"}, "has no split 'train', it has: test$"),
    ({"name": "digits", "samples": 598}, "samples=598, but digits test has only 597 images"),
    ({"name": "digits", "samples": "all"}, "samples must be a count N or 'first:N', got 'all'"),
    ({"name": "mnist", "root": "no/such/folder"}, "root names no folder: no/such/folder"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED, ids=range(len(REFUSED)))
def test_refuses_in_one_line(wrong, said):
    with pytest.raises(InputError, match=said) as caught:
        load_data(**wrong)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_import_is_cheap(path):
    """What only some data need is imported where it is needed."""
    heavy = {"sklearn", "scipy", "PIL", "pooch", "platformdirs"}
    top = ast.parse(path.read_text()).body
    names = [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in top if isinstance(node, ast.ImportFrom)]
    assert not heavy & {name.partition(".")[0] for name in names}
