"""Strips and blobs, and the two sets that come as blobs."""

import numpy as np
import pytest
import torch

from classward.core.errors import InputError, SystemFaultError
from classward.data import imagenet_sample, tiny_imagenet
from classward.data.packed import read_encoded, read_strips

CLASSES = [
    ["n01", "cat, house cat"],
    ["n02", "crane"],
    ["n03", "dog"],
    ["n04", "crane, derrick"],
]


def noise(n, side, channels=3):
    size = (n, side, side, channels)
    return np.random.default_rng(2).integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height", [5, 6, 12])
def test_strips_come_back_in_order(tmp_path, write, channels, height):
    pixels = noise(12, 8, channels)
    path = write.strips(tmp_path / "a.zip", pixels, np.arange(12), height=height)
    images, labels = read_strips(path, "test", 8, channels)
    assert np.array_equal(images, pixels.transpose(0, 3, 1, 2))
    assert labels.tolist() == [*range(12)] and images.flags.c_contiguous


def test_strips_that_do_not_fit_are_refused(tmp_path, write):
    path = write.strips(tmp_path / "a.zip", noise(12, 8), np.arange(12))
    with pytest.raises(InputError, match="test_000.webp is no column of 7x7 images"):
        read_strips(path, "test", 7, 3)
    with pytest.raises(InputError, match="a.zip has no train_labels.npy"):
        read_strips(path, "train", 8, 3)
    path = write.strips(tmp_path / "b.zip", noise(12, 8), np.arange(11))
    with pytest.raises(InputError, match="b.zip has 12 test images, but 11 labels"):
        read_strips(path, "test", 8, 3)
    path = write.zip(tmp_path / "c.zip", {"test_labels.npy": write.npy(np.arange(3))})
    with pytest.raises(InputError, match="c.zip has 0 test images, but 3 labels"):
        read_strips(path, "test", 8, 3)


def test_a_damaged_strip_is_named(tmp_path, write):
    members = {"test_labels.npy": write.npy(np.arange(3)), "test_000.webp": b"RIFF...."}
    path = write.zip(tmp_path / "a.zip", members)
    with pytest.raises(InputError, match="test_000.webp cannot be read"):
        read_strips(path, "test", 8, 3)


def encoded(path):
    return read_encoded("data", path, blob="images.bin", prefix="", side=8)


def test_encoded_images_are_decoded_for_a_batch(tmp_path, write):
    pixels = noise(5, 8)
    path = write.encoded(tmp_path / "a.zip", pixels, np.array([0, 1, 2, 3, 0]), CLASSES)
    data = encoded(path).take("first:4")
    assert data.class_names == ["cat", "crane (n02)", "dog", "crane (n04)"]
    where = torch.tensor([3, 1, 1])
    expected = torch.from_numpy(pixels).permute(0, 3, 1, 2)[where].float() / 255
    assert torch.equal(data.batch(where), expected)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"offsets.npy": [0, 9, 5]}, "offsets.npy does not fit images.bin"),
        ({"offsets.npy": [-1, 5, 9]}, "offsets.npy does not fit images.bin"),
        ({"offsets.npy": [0, 5, 10**7]}, "offsets.npy does not fit images.bin"),
        ({"offsets.npy": [[0, 5, 9]]}, "offsets.npy does not fit images.bin"),
        ({"offsets.npy": [0, 5]}, "labels have shape .2,., but there are 1 images"),
        ({"offsets.npy": [0, 5, 9]}, "a.zip, image 0 cannot be read"),
        ({"images.bin": b""}, "offsets.npy does not fit images.bin"),
        ({"labels.npy": [0, 9]}, "data: the label of sample 1 is 9"),
        ({"labels.npy": [0.5, 1]}, "labels must be integers, got float64"),
        ({"classes.json": "{"}, "a.zip cannot be read .JSONDecodeError."),
        ({"classes.json": "[1, 2]"}, "a.zip cannot be read"),
    ],
)
def test_a_blob_that_does_not_fit_is_refused(tmp_path, write, changes, said):
    ready = {
        name: write.npy(np.array(value)) if name.endswith(".npy") else value
        for name, value in changes.items()
    }
    path = write.encoded(tmp_path / "a.zip", noise(2, 8), np.array([0, 1]), CLASSES, **ready)
    with pytest.raises(InputError, match=said):
        encoded(path)


def test_an_image_of_another_size_is_named(tmp_path, write):
    images = [*noise(2, 8), *noise(1, 9)]
    path = write.encoded(tmp_path / "a.zip", images, np.array([0, 1, 2]), CLASSES)
    data = encoded(path)
    with pytest.raises(InputError, match=r"a.zip, image 2 has shape \(3, 9, 9\), expected"):
        data.batch(torch.arange(3))


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("test", "val")])
def test_tiny_imagenet(tmp_path, write, split, part):
    path = tmp_path / "tiny_imagenet.zip"
    names = {"blob": f"{part}.bin", "prefix": f"{part}_"}
    write.encoded(path, noise(3, 64), np.array([0, 3, 1]), CLASSES, **names)
    data = tiny_imagenet.load(split, tmp_path)
    assert (data.name, data.shape, data.classes) == ("tiny_imagenet", (3, 64, 64), 4)


def test_imagenet_sample(tmp_path, write):
    path = tmp_path / "imagenet_sample_224.zip"
    write.encoded(path, noise(2, 224), np.array([0, 3]), CLASSES)
    data = imagenet_sample.load("test", tmp_path)
    assert (data.name, data.shape, data.classes) == ("imagenet_sample", (3, 224, 224), 4)


@pytest.mark.parametrize("module", [tiny_imagenet, imagenet_sample])
def test_what_cannot_be_downloaded_says_where_to_put_it(module, home):
    with pytest.raises(SystemFaultError, match=r"\.zip is not at hand: put it into .*home"):
        module.load("test")


@pytest.mark.parametrize(
    ("module", "file", "split", "each"),
    [
        (tiny_imagenet, "tiny_imagenet.zip", "test", 50),
        (tiny_imagenet, "tiny_imagenet.zip", "train", 50),
        (imagenet_sample, "imagenet_sample_224.zip", "test", 1),
    ],
)
def test_real_images_are_decoded_and_classes_have_names_of_their_own(
    real, module, file, split, each
):
    data = module.load(split, real(file))
    assert data.labels.bincount().tolist() == [each] * data.classes
    assert len(set(data.class_names)) == data.classes
    images = data.batch(torch.tensor([0, len(data) - 1]))
    assert images.shape == (2, *data.shape) and 0.05 < images.std() < 0.5
