"""Tiny ImageNet: photographs of 200 classes, 64x64 RGB.

Source: Stanford CS231n, "Tiny ImageNet visual recognition challenge", 2015. The test split is
the published validation part, whose labels are known. A class is the rank of its WordNet
number. The training split of `tiny_imagenet.zip` has the first 50 images of each class.
"""

from collections.abc import Sequence
from pathlib import Path

from classward.core.errors import InputError
from classward.data.archives import reading
from classward.data.files import absent, find
from classward.data.image_folder import ImageFiles
from classward.data.packed import named, read_encoded
from classward.data.split import Split

SPLITS = {"train": "train", "test": "val"}
FILES = ("tiny-imagenet-200", "tiny_imagenet.zip")
SIDE = 64


def load(split: str, root: Path | None = None) -> Split:
    """Images of the published folders or of `tiny_imagenet.zip`, decoded batch by batch.

    Raises:
        InputError: If a file is missing or damaged.
        SystemFaultError: If there is neither; it cannot be downloaded.
    """
    path = find(FILES, root)
    if path is None:
        raise absent("tiny_imagenet.zip")
    part = SPLITS[split]
    if path.is_dir():
        return _read_folders(path, part)
    return read_encoded("tiny_imagenet", path, blob=f"{part}.bin", prefix=f"{part}_", side=SIDE)


def _read_folders(folder: Path, part: str) -> Split:
    """The published folders; gray pictures, of which there are some, become RGB."""
    with reading(folder):
        numbers = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
        words = dict(_rows(folder / "words.txt"))
        found = _training(folder, numbers) if part == "train" else _validation(folder)
    if not found:
        raise InputError(f"{folder} has no {part} pictures")
    ranks = {number: rank for rank, number in enumerate(numbers)}
    for path, number in found:
        if number not in ranks:
            raise InputError(f"{folder}: {path.name} is of {number}, a class without a folder")
    files = [str(path.relative_to(folder)) for path, _ in found]
    images = ImageFiles(folder, files, (3, SIDE, SIDE), stretch=False)
    classes = named([(number, words.get(number, number)) for number in numbers])
    return Split(images, [ranks[number] for _, number in found], classes, name="tiny_imagenet")


def _training(folder: Path, numbers: Sequence[str]) -> list[tuple[Path, str]]:
    """Each picture with the WordNet number of its class, in the order of their own numbers."""
    return [
        (path, number)
        for number in numbers
        for path in sorted(
            (folder / "train" / number / "images").glob("*.JPEG"),
            key=lambda path: (len(path.name), path.name),
        )
    ]


def _validation(folder: Path) -> list[tuple[Path, str]]:
    rows = _rows(folder / "val" / "val_annotations.txt")
    return [(folder / "val" / "images" / file, number) for file, number in rows]


def _rows(file: Path) -> list[tuple[str, str]]:
    """The first two columns of a file with tabs between its columns."""
    rows = [line.split("\t") for line in file.read_text().splitlines() if line]
    short = next((row for row in rows if len(row) < 2), None)
    if short is not None:
        raise InputError(f"{file} is damaged: {short[0][:40]!r} has no second column")
    return [(first, second) for first, second, *_ in rows]
