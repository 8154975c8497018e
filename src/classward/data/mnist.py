"""MNIST: 70,000 handwritten digits, 28x28 gray.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86(11), 1998.
"""

from pathlib import Path

from classward.data.files import find
from classward.data.idx import download_pair, image_files, read_pair
from classward.data.packed import read_strips
from classward.data.split import Split

SPLITS = ("train", "test")
FOLDERS = ("mnist", "MNIST/raw", ".")
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
SHA256 = {
    "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def load(split: str, root: Path | None = None) -> Split:
    """The published idx files, or `mnist.webp.zip`.

    Raises:
        InputError: If a file is damaged.
        SystemFaultError: If there is none, and it cannot be downloaded.
    """
    path = find([*image_files(split, FOLDERS), "mnist.webp.zip"], root)
    if path and path.suffix == ".zip":
        images, labels = read_strips(path, split, size=28, channels=1)
    else:
        path = path or download_pair(split, URL, SHA256, "mnist")
        images, labels = read_pair("mnist", path)
    return Split(images, labels, [str(digit) for digit in range(10)], name="mnist")
