"""One photograph of each of the 1,000 classes of ImageNet-1k, 224x224 RGB.

Source: Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015. The
images are probably training images: fit for attacks, not for a clean accuracy to quote.
"""

from pathlib import Path

from classward.data.files import absent, find
from classward.data.packed import read_encoded
from classward.data.split import Split

SPLITS = ("test",)


def load(split: str, root: Path | None = None) -> Split:
    """Images of `imagenet_sample_224.zip`, decoded batch by batch.

    Raises:
        InputError: If the file is damaged.
        SystemFaultError: If there is none; it cannot be downloaded.
    """
    path = find(["imagenet_sample_224.zip"], root)
    if path is None:
        raise absent("imagenet_sample_224.zip")
    return read_encoded("imagenet_sample", path, blob="images.bin", prefix="", side=224)
