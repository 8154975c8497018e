"""A folder with one folder of pictures for each class; pictures are read batch by batch."""

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
        paths: One file for each picture.
        shape: (channels, height, width) of each, in pixels.
        stretch: Whether to stretch those that have another size.
    """

    paths: Sequence[Path]
    shape: tuple[int, int, int]
    stretch: bool

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, positions: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """The pictures at these positions.

        Raises:
            InputError: If one cannot be decoded, or has another size.
        """
        paths = [self.paths[position] for position in positions.tolist()]
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
            (path, label) for label, name in enumerate(classes) for path in _pictures(name)
        ]
    if not found:
        raise InputError(f"{top} has no pictures: expected CLASS/NAME.png, .jpg, ... in it")
    paths, labels = zip(*found, strict=True)
    channels, heights, widths = zip(*map(look, paths), strict=True)
    height, width = (heights[0], widths[0]) if side is None else (side, side)
    for path, *size in zip(paths, heights, widths, strict=True):
        if side is None and size != [height, width]:
            raise InputError(
                f"{path} is {size[0]}x{size[1]}, the first picture {height}x{width}: "
                "make them one size, or use read_folder(folder, side=...)"
            )
    images = ImageFiles(paths, (max(channels), height, width), stretch=side is not None)
    return Split(images, labels, [path.name for path in classes], name=folder.name)


def _visible_folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in ENDINGS]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
