"""CIFAR-100: 60,000 photographs of a hundred classes, 32x32 RGB; the fine labels.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from pathlib import Path

from classward.data.cifar import read_batches
from classward.data.files import download, find
from classward.data.split import Split

SPLITS = {"train": ["train.bin"], "test": ["test.bin"]}
FILES = ("cifar-100-binary", "cifar-100-binary.tar.gz")
URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
CLASSES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
    kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
    mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale
    willow_tree wolf woman worm
"""


def load(split: str, root: Path | None = None) -> Split:
    """The official binary version, as a folder or packed.

    Raises:
        InputError: If a file is damaged.
        SystemFaultError: If there is none, and it cannot be downloaded.
    """
    path = find(FILES, root) or download(URL, SHA256)
    images, labels = read_batches(path, SPLITS[split], label_bytes=2)
    return Split(images, labels, CLASSES.split(), name="cifar100")
