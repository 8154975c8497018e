import pytest
import torch

from classward.core.errors import InputError, SystemFaultError
from classward.data import fashion_mnist, mnist
from classward.data.fashion_mnist import DEBIAN, load


@pytest.fixture
def no_system(monkeypatch, tmp_path):
    """The folder of the Debian package, empty."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "system")
    return tmp_path / "system"


@pytest.mark.parametrize("folder", [".", "fashion-mnist", "fashion_mnist", "FashionMNIST/raw"])
def test_reads_the_published_files(tmp_path, write, folder):
    _, labels = write.pair(tmp_path / folder, "train", ".gz")
    data = load("train", tmp_path)
    assert (data.name, data.shape, data.classes) == ("fashion_mnist", (1, 28, 28), 10)
    assert data.labels.tolist() == labels.tolist() and data.class_names[9] == "Ankle boot"


def test_the_package_of_the_system_comes_last(write, tmp_path, no_system, monkeypatch):
    with pytest.raises(SystemFaultError, match="t10k-labels-idx1-ubyte.gz cannot be downl"):
        load("test")
    write.pair(no_system, "t10k", ".gz")
    assert len(load("test")) == 12
    write.idx(tmp_path / "t10k-images-idx3-ubyte", torch.zeros(2, 28, 28).numpy())
    write.idx(tmp_path / "t10k-labels-idx1-ubyte", torch.tensor([0, 1]).numpy())
    assert len(load("test", tmp_path)) == 2


@pytest.fixture
def debian():
    if not DEBIAN.is_dir():
        pytest.skip("needs the Debian package dataset-fashion-mnist")
    return DEBIAN


@pytest.mark.parametrize(("split", "count"), [("train", 60000), ("test", 10000)])
def test_real_images_are_all_there(debian, split, count):
    data = load(split)
    assert data.labels.bincount().tolist() == [count // 10] * 10
    assert data.labels[:4].tolist() == ([9, 0, 0, 3] if split == "train" else [9, 2, 1, 1])


def test_real_images_do_not_pass_for_digits(debian):
    with pytest.raises(InputError, match="holds the images of fashion_mnist, not of mnist"):
        mnist.load("test", debian)
