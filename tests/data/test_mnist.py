import hashlib

import numpy as np
import pytest
import torch

from classward.core.errors import InputError, SystemFaultError
from classward.data.mnist import SHA256, load

FOLDERS = [".", "mnist", "MNIST/raw"]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_reads_the_published_files(tmp_path, write, folder, ending, split, prefix):
    images, labels = write.pair(tmp_path / folder, prefix, ending)
    data = load(split, tmp_path)
    assert (data.name, data.shape, data.classes) == ("mnist", (1, 28, 28), 10)
    assert data.labels.tolist() == labels.tolist()
    expected = torch.from_numpy(images[:, None].astype(np.float32)) / 255
    assert torch.equal(data.batch(torch.arange(12)), expected)


def test_reads_strips(tmp_path, write):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 28, 28, 1), dtype=np.uint8)
    write.strips(tmp_path / "mnist.webp.zip", pixels, np.arange(12) % 10)
    data = load("test", tmp_path)
    expected = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(data.batch(torch.arange(12)), expected)


def test_a_label_beyond_nine_is_named(tmp_path, write):
    write.pair(tmp_path)
    write.idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([*range(10), 10, 0]))
    with pytest.raises(
        InputError, match=r"mnist: the label of sample 10 is 10, expected 0\.\.9"
    ):
        load("test", tmp_path)


def test_without_files_or_network_says_what_to_put_where(home):
    with pytest.raises(
        SystemFaultError, match="t10k-labels-idx1-ubyte.gz cannot be downloaded"
    ):
        load("test")


def test_a_download_is_found_again(home, monkeypatch, write):
    """Both files of the split come, and the next call needs no network."""
    asked = []

    def download(url, sha256, folder):
        asked.append((url.rpartition("/")[2], sha256))
        write.pair(home / folder, "t10k", ".gz")
        return home / folder / asked[-1][0]

    monkeypatch.setattr("classward.data.idx.download", download)
    first = load("test")
    parts = ["t10k-labels-idx1", "t10k-images-idx3"]
    assert asked == [(f"{part}-ubyte.gz", SHA256[part]) for part in parts]
    assert load("test").digest() == first.digest() and len(asked) == 2


PIXELS = "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"


def test_real_images_are_the_published_ones(real):
    data = load("test", real("mnist.webp.zip"))
    assert len(data) == 10000
    pixels = (data.batch(torch.arange(10000)) * 255).round().byte()
    assert hashlib.sha256(pixels.numpy().tobytes()).hexdigest() == PIXELS
    assert data.labels.bincount()[:3].tolist() == [980, 1135, 1032]
