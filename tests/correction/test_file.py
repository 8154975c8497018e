import pickle
import re

import pytest
import torch
from safetensors.torch import save_file

from classward.core.errors import InputError
from classward.correction.file import read, write

TENSORS = {"output.bias": torch.arange(3.0), "output.weight": torch.eye(3)}
ABOUT = {"options": {"hidden": None}, "fitted_on_": ['PGD "<b>"', "é"]}


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "c.safetensors", TENSORS, ABOUT)
    return tmp_path / "c.safetensors"


def test_comes_back_whole(path):
    tensors, about = read(path)
    assert about == ABOUT
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_new_file_replaces_the_old_one(path):
    kept, _ = read(path)
    write(path, {"output.bias": torch.zeros(3)}, {})
    assert read(path)[0].keys() == {"output.bias"}
    assert torch.equal(kept["output.bias"], TENSORS["output.bias"])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_no_bit_can_flip_unseen(path):
    whole = path.read_bytes()
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        with pytest.raises(InputError, match=re.escape(str(path))):
            read(path)


def test_no_truncation_is_read(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=re.escape(f"{path}: damaged")):
            read(path)


def test_other_files_are_refused_in_one_line(tmp_path):
    foreign = tmp_path / "foreign"
    save_file(TENSORS, foreign)
    with pytest.raises(InputError, match="safetensors of something else"):
        read(foreign)
    foreign.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="damaged, or not a corrector's"):
        read(foreign)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "absent")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path)
