"""The binary format, and both sets that are published in it."""

import hashlib

import numpy as np
import pytest
import torch

from classward.core.errors import InputError, SystemFaultError
from classward.data import cifar10, cifar100
from classward.data.cifar import read_batches

FIVE = [f"data_batch_{number}.bin" for number in range(1, 6)]


def pixels_of(data):
    return (data.batch(torch.arange(len(data))) * 255).round().byte().numpy()


@pytest.fixture
def official(tmp_path, write):
    """Both sets in their packed form: 3 images in each file."""
    ten = {
        name: write.records(3, seed=seed) for seed, name in enumerate([*FIVE, "test_batch.bin"])
    }
    members = [(f"cifar-10-batches-bin/{name}", parts[2]) for name, parts in ten.items()]
    write.tar(
        tmp_path / "cifar-10-binary.tar.gz",
        [("cifar-10-batches-bin/readme.html", b""), *members[::-1]],
    )
    hundred = {
        name: write.records(3, 2, seed) for seed, name in enumerate(["train.bin", "test.bin"])
    }
    members = [(f"cifar-100-binary/{name}", parts[2]) for name, parts in hundred.items()]
    write.tar(tmp_path / "cifar-100-binary.tar.gz", members)
    return ten, hundred


@pytest.mark.parametrize(("split", "names"), [("train", FIVE), ("test", ["test_batch.bin"])])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar10_is_the_batches_in_order(tmp_path, official, split, names, packed):
    parts = official[0]
    if not packed:
        folder = tmp_path / "cifar-10-batches-bin"
        folder.mkdir()
        for name in parts:
            (folder / name).write_bytes(parts[name][2])
        (tmp_path / "cifar-10-binary.tar.gz").unlink()
    data = cifar10.load(split, tmp_path)
    assert (data.name, data.shape, data.class_names[2]) == ("cifar10", (3, 32, 32), "bird")
    assert data.labels.tolist() == [label for name in names for label in parts[name][0]]
    assert np.array_equal(pixels_of(data), np.concatenate([parts[name][1] for name in names]))
    assert data._images.dtype == torch.uint8


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar100_has_the_fine_labels(tmp_path, official, split, packed):
    labels, pixels, content = official[1][f"{split}.bin"]
    if not packed:
        (tmp_path / "cifar-100-binary").mkdir()
        (tmp_path / "cifar-100-binary" / f"{split}.bin").write_bytes(content)
        (tmp_path / "cifar-100-binary.tar.gz").unlink()
    data = cifar100.load(split, tmp_path)
    assert (data.name, data.classes, data.class_names[99]) == ("cifar100", 100, "worm")
    assert data.labels.tolist() == labels.tolist()
    assert np.array_equal(pixels_of(data), pixels)


def test_cifar10_reads_strips(tmp_path, write):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    write.strips(tmp_path / "cifar10.webp.zip", pixels, np.arange(12) % 10, "train")
    data = cifar10.load("train", tmp_path)
    assert np.array_equal(pixels_of(data), pixels.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("content", [b"", b"1234", bytes(3073 * 2 - 1), bytes(3074)])
def test_a_damaged_batch_is_named(tmp_path, content):
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(InputError, match="test_batch.bin is damaged"):
        read_batches(tmp_path, ["test_batch.bin"], label_bytes=1)


def test_a_missing_batch_is_named(tmp_path, write):
    write.tar(tmp_path / "cifar-10-binary.tar.gz", [("x/data_batch_1.bin", bytes(3073))])
    with pytest.raises(InputError, match="cifar-10-binary.tar.gz has no data_batch_2.bin"):
        cifar10.load("train", tmp_path)


@pytest.mark.parametrize("module", [cifar10, cifar100])
def test_without_files_or_network_says_what_to_put_where(module, home):
    with pytest.raises(
        SystemFaultError, match=r"binary.tar.gz cannot be downloaded.*put it into"
    ):
        module.load("test")


@pytest.mark.parametrize(
    ("split", "images", "labels"),
    [
        ("test", "6d2714505047e13831cd876923568712", "251f18ce75337ae9ca5d0dbd7ea62cf4"),
        pytest.param(
            "train",
            "17e2cb5a4119d89a4a13e02b91701bff",
            "69c5f3349be54915edfca558b72ad888",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_real_images_are_the_published_ones(real, split, images, labels):
    """MD5 of the uint8 NHWC pixels and of the labels as bytes."""
    data = cifar10.load(split, real("cifar10.webp.zip"))
    nhwc = np.ascontiguousarray(pixels_of(data).transpose(0, 2, 3, 1))
    assert hashlib.md5(nhwc, usedforsecurity=False).hexdigest() == images
    assert hashlib.md5(data.labels.byte().numpy(), usedforsecurity=False).hexdigest() == labels
