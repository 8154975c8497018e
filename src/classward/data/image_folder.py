"""A folder with one folder of pictures for each class; pictures are read batch by batch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int64, UInt8
from torch import Tensor

from classward.core.errors import InputError
from classward.data.archives import reading
from classward.data.pictures import decode_batch, look
from classward.data.split import Split

ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class ImageFiles:
    """Pictures on a disk.

    Attributes:
        folder: Where they are.
        names: One file below it for each picture.
        shape: (channels, height, width) of each, in pixels.
        stretch: Whether to stretch those that have another size.
    """

    folder: Path
    names: Sequence[str]
    shape: tuple[int, int, int]
    stretch: bool

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, positions: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """The pictures at these positions.

        Raises:
            InputError: If one cannot be decoded, or has another size.
        """
        paths = [self.folder / self.names[int(position)] for position in positions]
        return decode_batch(paths, [*map(str, paths)], self.shape, stretch=self.stretch)


def read_folder(folder: Path, split: str = "test", side: int | None = None) -> Split:
    """The pictures `folder/CLASS/*.png`, or those of `folder/SPLIT/CLASS/` if it is divided.

    Classes are the folder names in sorted order; a file or folder that begins with a dot is
    none. Pictures are gray if all of them are, else RGB.

    Args:
        folder: The data.
        split: The part to take of a divided folder.
        side: Width and height to stretch every picture to, in pixels; `None` expects one size.

    Raises:
        InputError: If there is no picture, one cannot be read, or their sizes differ.
    """
    with reading(folder):
        part = folder / split
        top = part if part.is_dir() and _visible_folders(part) else folder
        classes = _visible_folders(top)
        found = [
            (f"{name}/{picture}", label)
            for label, name in enumerate(classes)
            for picture in _pictures(top / name)
        ]
    if not found:
        raise InputError(f"{top} has no pictures: expected CLASS/NAME.png, .jpg, ... in it")
    names, labels = zip(*found, strict=True)
    shape = _shape(top, names, side)
    images = ImageFiles(top, names, shape, stretch=side is not None)
    return Split(images, labels, classes, name=folder.name)


def _shape(folder: Path, names: Sequence[str], side: int | None) -> tuple[int, int, int]:
    """Channels, height and width of all pictures, from their headers."""
    most, height, width = look(folder / names[0])
    for name in names:
        channels, *size = look(folder / name)
        most = max(most, channels)
        if side is None and size != [height, width]:
            raise InputError(
                f"{folder / name} is {size[0]}x{size[1]}, the first picture {height}x{width}: "
                "make them one size, or use read_folder(folder, side=...)"
            )
    return (most, height, width) if side is None else (most, side, side)


def _visible_folders(folder: Path) -> list[str]:
    return [name for name in _visible(folder) if (folder / name).is_dir()]


def _pictures(folder: Path) -> list[str]:
    return [name for name in _visible(folder) if Path(name).suffix.lower() in ENDINGS]


def _visible(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))
