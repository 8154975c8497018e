import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.data.labels import checked_ids, checked_labels

IDS = torch.arange(3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint16, np.int64, ">i4"])
def test_integers_of_any_width_become_int64(dtype):
    labels, names = checked_labels(np.array([0, 2, 1], dtype), IDS, None)
    assert labels.dtype == torch.int64 and labels.tolist() == [0, 2, 1]
    assert names == ["0", "1", "2"]


def test_labels_are_not_the_callers():
    mine = torch.tensor([0, 2, 1])
    labels, _ = checked_labels(mine, IDS, None)
    mine.zero_()
    assert labels.tolist() == [0, 2, 1]


@pytest.mark.parametrize("names", [("a", "b", "c"), np.array(["a", "b", "c"]), iter("abc")])
def test_names_become_a_list_of_text(names):
    assert checked_labels([0, 1, 0], IDS, names)[1] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (3, "class_names must be a list of names, one for each class"),
        ([1, 2, 3], r"class_names\[0\] must be text, got 1"),
        (["a", None], r"class_names\[1\] must be text, got None"),
        (["a", b"b"], r"class_names\[1\] must be text, got b'b'"),
        (["a"], "the label of sample 1 is 1, expected 0..0"),
    ],
)
def test_what_is_no_list_of_names_is_refused(names, said):
    with pytest.raises(InputError, match=said):
        checked_labels([0, 1, 0], IDS, names)


def test_ids_count_from_zero_unless_given():
    assert checked_ids(None, 3).tolist() == [0, 1, 2]
    assert checked_ids(np.array([9, 3, 5], np.uint64), 3).tolist() == [9, 3, 5]


def test_an_id_too_large_for_its_type_is_refused():
    with pytest.raises(InputError, match="an id is at least 0"):
        checked_ids(np.array([2**63], np.uint64), 1)
