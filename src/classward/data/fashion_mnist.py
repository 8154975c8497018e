"""Fashion-MNIST: 70,000 pictures of clothes, 28x28 gray.

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
machine learning algorithms", arXiv:1708.07747.
"""

from pathlib import Path

from classward.data.files import find
from classward.data.idx import download_pair, image_files, read_pair
from classward.data.split import Split

SPLITS = ("train", "test")
FOLDERS = ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", ".")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
SHA256 = {
    "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(split: str, root: Path | None = None) -> Split:
    """The published idx files.

    Raises:
        InputError: If a file is damaged.
        SystemFaultError: If there is none, and it cannot be downloaded.
    """
    path = find(image_files(split, FOLDERS), root, DEBIAN)
    path = path or download_pair(split, URL, SHA256, "fashion-mnist")
    return Split(*read_pair("fashion_mnist", path), CLASSES, name="fashion_mnist")
