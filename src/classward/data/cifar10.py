"""CIFAR-10: 60,000 photographs of ten classes, 32x32 RGB.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from pathlib import Path

from classward.data.cifar import read_batches
from classward.data.files import download, find
from classward.data.packed import read_strips
from classward.data.split import Split

SPLITS = {
    "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
    "test": ["test_batch.bin"],
}
FILES = ("cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar10.webp.zip")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load(split: str, root: Path | None = None) -> Split:
    """The official binary version, as a folder or packed, or `cifar10.webp.zip`.

    Raises:
        InputError: If a file is damaged.
        SystemFaultError: If there is none, and it cannot be downloaded.
    """
    path = find(FILES, root) or download(URL, SHA256)
    if path.suffix == ".zip":
        images, labels = read_strips(path, split, size=32, channels=3)
    else:
        images, labels = read_batches(path, SPLITS[split], label_bytes=1)
    return Split(images, labels, CLASSES, name="cifar10")
