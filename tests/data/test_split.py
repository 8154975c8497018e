import copy
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classward.core.errors import InputError
from classward.data.split import Split

BYTES = torch.arange(6 * 3 * 4 * 4, dtype=torch.uint8).view(6, 3, 4, 4)
LABELS = [0, 1, 2, 0, 1, 2]


class Streamed:
    """Images made when they are asked for; remembers what was asked."""

    def __init__(self, images):
        self.images, self.asked = images, []

    def __len__(self):
        return len(self.images)

    def batch(self, positions):
        self.asked.append(positions.tolist())
        return self.images[positions]


def floats(**changes):
    images = torch.full((6, 3, 4, 4), 0.5)
    for index, value in changes.items():
        images[int(index[1:]), 0, 1, 2] = value
    return images


def test_bytes_stay_bytes_and_are_divided_by_255_in_a_batch():
    data = Split(BYTES, LABELS)
    where = torch.tensor([4, 0])
    assert torch.equal(data.batch(where), BYTES[where].float() / 255)
    assert data._images.dtype == torch.uint8 and data._images.data_ptr() == BYTES.data_ptr()
    assert (len(data), data.shape, data.classes, data.name) == (6, (3, 4, 4), 3, "data")
    assert data.class_names == ["0", "1", "2"] and data.ids.tolist() == [*range(6)]
    assert repr(data) == "Split(data: 6 images of 3x4x4, 3 classes)"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.longdouble])
def test_floats_of_any_width_become_float32(dtype):
    values = np.linspace(0, 1, 6 * 3 * 4 * 4).reshape(6, 3, 4, 4).astype(dtype)
    data = Split(values, LABELS)
    images = data.batch(torch.arange(6))
    assert images.dtype == torch.float32
    assert np.array_equal(images.numpy(), values.astype(np.float32))


def test_rounding_beyond_the_range_is_clamped_exactly():
    images = Split(floats(_0=1 + 9e-7, _1=-9e-7), LABELS).batch(torch.arange(6))
    assert images.min() == 0 and images.max() == 1


def test_read_only_arrays_and_views_are_taken():
    array = BYTES.numpy().transpose(0, 1, 3, 2)
    array.flags.writeable = False
    data = Split(array, np.array(LABELS, np.uint16))
    assert torch.equal(data.batch(torch.arange(6)), BYTES.transpose(2, 3).float() / 255)
    assert data.labels.dtype == torch.int64


def test_a_read_only_array_is_copied_never_written_to():
    array = BYTES.numpy().copy()
    array.flags.writeable = False
    assert not np.shares_memory(Split(array, LABELS)._images.numpy(), array)


def test_what_the_caller_changes_later_changes_no_floats():
    images = floats()
    data = Split(images, LABELS)
    images.zero_()
    assert data.batch(torch.tensor([0])).max() == 0.5


def test_no_gradient_and_no_empty_batch_is_left_over():
    data = Split(floats().requires_grad_(), LABELS)
    assert not data.batch(torch.tensor([1])).requires_grad
    assert data.batch(torch.tensor([], dtype=torch.long)).shape == (0, 3, 4, 4)


def test_named_classes_may_be_absent():
    data = Split(BYTES, LABELS, ["cat", "dog", "eel", "fox"])
    assert data.classes == 4 and data.class_names == ["cat", "dog", "eel", "fox"]


def test_a_stream_is_asked_for_rows_of_the_whole_set():
    stream = Streamed(floats(_3=0.25))
    data = Split(stream, LABELS).select(torch.tensor([5, 3]))
    stream.asked.clear()
    assert data.batch(torch.tensor([1]))[0, 0, 1, 2] == 0.25
    assert data.batch(torch.tensor([], dtype=torch.long)).shape == (0, 3, 4, 4)
    assert stream.asked == [[3]]


def test_a_streamed_image_out_of_range_is_named_when_it_comes():
    data = Split(Streamed(floats(_4=1.5)), LABELS, ids=[10, 11, 12, 13, 14, 15])
    data.batch(torch.tensor([0, 1]))
    with pytest.raises(InputError, match=r"data: image 14 has a pixel of 1\.5: scale"):
        data.batch(torch.tensor([5, 4]))


def test_a_stream_that_gives_too_few_is_told():
    class Short(Streamed):
        def batch(self, positions):
            return self.images[positions[:1]]

    with pytest.raises(InputError, match="asked for 2 images, the stream gave 1"):
        Split(Short(floats()), LABELS).batch(torch.tensor([0, 1]))


REFUSED = [
    ({"images": torch.empty(0, 3, 4, 4)}, "data: there are no images"),
    ({"images": None}, "images must be an array, got NoneType"),
    ({"images": torch.tensor(0.5)}, "images must be an array, got Tensor"),
    ({"images": [[0.5]] * 6}, "images must be an array or a tensor, got list"),
    ({"images": floats(_2=float("nan"))}, "image 2 has a pixel of nan: replace what is not"),
    ({"images": floats(_2=float("inf"))}, "image 2 has a pixel of inf: replace what is not"),
    ({"images": floats(_1=253.0)}, "image 1 has a pixel of 253: .* divide these by 255"),
    (
        {"images": floats(_5=-1.998)},
        r"image 5 has a pixel of -1\.998: .*undo the normalisation",
    ),
    ({"images": floats(_3=1.1)}, r"image 3 has a pixel of 1\.1: scale the images to \[0, 1\]"),
    ({"images": floats(_3=1 + 3e-6)}, r"image 3 has a pixel of 1"),
    ({"images": floats().double().numpy() * 1e300}, "image 0 has a pixel of inf"),
    ({"images": BYTES.int()}, "must be uint8 or float, got torch.int32"),
    ({"images": BYTES.numpy().astype(int)}, "must be uint8 or float, got int64"),
    ({"images": BYTES.numpy() > 3}, "must be uint8 or float, got bool"),
    ({"images": BYTES.numpy().astype(object)}, "must be uint8 or float, got object"),
    ({"images": BYTES.flatten(1)}, r"must have shape \(n, c, h, w\), got \(6, 48\)$"),
    ({"images": BYTES[:, 0]}, r"got \(6, 4, 4\): add the channel axis, images\[:, None\]"),
    ({"images": torch.zeros(6, 8, 8, 3, dtype=torch.uint8)}, r"channels last: .*transpose"),
    ({"images": np.zeros((6, 28, 28, 1))}, r"\(6, 28, 28, 1\) have their channels last"),
    ({"images": torch.zeros(6, 0, 4, 4)}, r"images of shape \(6, 0, 4, 4\) have no pixels"),
    ({"labels": [0, 1, 2, 0, 1]}, r"labels have shape \(5,\), but there are 6 images"),
    ({"labels": 3}, r"labels have shape \(\), but there are 6 images"),
    ({"labels": [0.0, 1, 2, 0, 1, 2]}, "must be integers, got float64: numpy.asarray"),
    ({"labels": torch.ones(6, dtype=torch.bfloat16)}, "labels must be integers, got float64"),
    ({"labels": [True] * 6}, "labels must be integers, got bool"),
    ({"labels": ["cat"] * 6}, "labels must be integers, got <U3"),
    ({"labels": [[0], [1, 2]]}, "labels must be a flat list of integers, got a ragged one"),
    ({"labels": np.eye(3, dtype=int)[LABELS]}, r"shape \(6, 3\), .*: labels.argmax\(1\)"),
    ({"labels": np.array(LABELS)[:, None]}, r"shape \(6, 1\), .*: labels.flatten\(\)"),
    ({"labels": [0, 1, -1, 0, -2, 2]}, r"label of sample 2 is -1, expected 0\.\.65535 \(no"),
    ({"labels": [0, 1, 2, 0, 10**9, 2]}, "label of sample 4 is 1000000000"),
    ({"class_names": ["a", "b"]}, r"sample 2 is 2, expected 0\.\.1 \(2 class names given\)"),
    ({"labels": [-100] * 6, "ids": range(7, 13)}, "label of sample 7 is -100"),
    ({"labels": [0] * 6}, "only one class: name all of them with class_names"),
    ({"class_names": []}, "class_names must be a list of names"),
    ({"class_names": "abc"}, "class_names must be a list of names"),
    ({"class_names": ["a", "b", "c\ud800"]}, r"class_names\[2\] must be text, got"),
    ({"ids": [1, 2]}, r"ids have shape \(2,\), but there are 6 images"),
    ({"ids": [0, 1, 2, 3, 4.5, 5]}, "ids must be integers, got float64"),
    ({"ids": [4, 5, 6, 5, 4, 4]}, r"ids\[3\] is 5 again: ids must be unique"),
    ({"ids": [0, 1, 2, 3, -4, 5]}, r"ids\[4\] is -4: an id is at least 0"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED, ids=range(len(REFUSED)))
def test_refuses_in_one_line(wrong, said):
    with pytest.raises(InputError, match=said) as caught:
        Split(**({"images": BYTES, "labels": LABELS} | wrong))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def of_labels(labels, classes):
    images = torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8)
    return Split(
        images, labels, [str(k) for k in range(classes)], ids=range(50, 50 + len(labels))
    )


@settings(deadline=None)
@given(data=st.data(), classes=st.integers(2, 6))
def test_take_is_the_first_of_each_class_in_the_order_of_the_data(data, classes):
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=40))
    count = data.draw(st.integers(1, len(labels)))
    expected, seen = [], [0] * classes
    for position, label in enumerate(labels):
        seen[label] += 1
        if seen[label] <= ceil(count / classes):
            expected.append(50 + position)
    taken = of_labels(labels, classes).take(data.draw(st.sampled_from([count, str(count)])))
    assert taken.ids.tolist() == expected
    assert taken.labels.tolist() == [labels[id - 50] for id in expected]
    assert taken.classes == classes


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=40), data=st.data())
def test_take_first_is_the_beginning(labels, data):
    count = data.draw(st.integers(1, len(labels)))
    taken = of_labels(labels, 4).take(f"first:{count}")
    assert taken.ids.tolist() == [*range(50, 50 + count)]


@pytest.mark.parametrize(
    "samples", [0, -1, True, "", "0", "ten", "1e3", "last:3", "first:", "first:0"]
)
def test_take_refuses_what_is_no_count(samples):
    with pytest.raises(InputError, match="samples must be a count N or 'first:N', got '"):
        Split(BYTES, LABELS).take(samples)


@pytest.mark.parametrize("samples", [7, "7", "first:7"])
def test_take_refuses_more_than_there_are(samples):
    with pytest.raises(InputError, match=f"samples={samples}, but data has only 6 images"):
        Split(BYTES, LABELS).take(samples)


def test_select_of_a_selection_keeps_pixels_labels_and_ids_together():
    data = Split(BYTES, LABELS, ids=range(10, 16)).select(torch.tensor([5, 3, 1]))
    data = data.select(torch.tensor([2, 0]))
    assert data.ids.tolist() == [11, 15] and data.labels.tolist() == [1, 2]
    assert torch.equal(data.batch(torch.arange(2)), BYTES[[1, 5]].float() / 255)


@pytest.mark.parametrize("positions", [[], [1, 1], [5, -1]])
def test_select_refuses_none_and_twice(positions):
    with pytest.raises(InputError, match="select at least one position, and none twice"):
        Split(BYTES, LABELS).select(torch.tensor(positions, dtype=torch.long))


def test_digest_is_of_the_stored_pixels_labels_and_ids_alone():
    data = Split(BYTES, LABELS)
    assert data.digest() == Split(BYTES.clone(), LABELS, ["x", "y", "z"], name="other").digest()
    changed = BYTES.clone()
    changed[5, 2, 3, 3] += 1
    others = [
        Split(changed, LABELS),
        Split(BYTES, [0, 1, 2, 0, 2, 1]),
        Split(BYTES, LABELS, ids=range(1, 7)),
        Split(BYTES.view(6, 1, 12, 4), LABELS),
        data.take("first:5"),
        data.select(torch.tensor([1, 0, 2, 3, 4, 5])),
    ]
    assert len({split.digest() for split in [data, *others]}) == 7
    assert len(data.digest()) == 64


def test_digest_does_not_depend_on_where_the_pixels_come_from_or_on_chunks(monkeypatch):
    data = Split(BYTES, LABELS)
    whole = data.digest()
    assert Split(Streamed(BYTES), LABELS).digest() == whole
    monkeypatch.setattr("classward.data.split.CHUNK", 4)
    assert copy.copy(data).digest() == whole
