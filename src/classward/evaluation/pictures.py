"""Adversarial images on a disk: exact as float32, and as PNG files that are 8-bit pictures.

A PNG holds multiples of 1/255. Rounding to them may undo an attack, so the classifier is asked
once more about the rounded images, and both success rates are written.
"""

import io
import re

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from classward.core.types import Images
from classward.records.atomic import atomic_file, atomic_write
from classward.records.record import Record
from classward.records.record_summary import eight_bit
from classward.records.run_folder import RunFolder

FOLDER = "images-8bit"


def in_8_bit(images: Images, clean: Images) -> tuple[Images, dict[str, Float32[Tensor, " n"]]]:
    """Images with every pixel at the nearest multiple of 1/255, and how far they then are."""
    rounded = (images * 255).round() / 255
    change = (rounded - clean).flatten(1)
    return rounded, {"linf_8bit": change.abs().amax(dim=1), "l2_8bit": change.norm(dim=1)}


def write_pictures(folder: RunFolder, record: Record) -> None:
    """Write `images.npz`, `images-8bit/CLASS/ID.png` and `images-8bit.json`.

    The class is the true one. Images of other than 1 or 3 channels are no pictures: they get
    no PNG files. What is there already is whole, and left.

    Raises:
        SystemFaultError: If the disk is full.
    """
    assert record.images is not None
    if record.images.shape[1] in (1, 3):
        _write_png(folder, record)
    if not (folder.path / "images.npz").exists():
        images, ids, labels = (t.numpy() for t in (record.images, record.ids, record.labels))
        with atomic_file(folder.path / "images.npz", images.nbytes) as file:
            np.savez(file, images=images, ids=ids, labels=labels)
    folder.write_json(f"{FOLDER}.json", eight_bit(record))


def _write_png(folder: RunFolder, record: Record) -> None:
    assert record.images is not None
    places = [folder.path / FOLDER / name for name in _folder_names(record.class_names)]
    for label in record.labels.unique().tolist():
        places[label].mkdir(parents=True, exist_ok=True)
    rows = zip(record.ids.tolist(), record.labels.tolist(), strict=True)
    for row, (sample, label) in enumerate(rows):
        path = places[label] / f"{sample}.png"
        if not path.exists():
            pixels = (record.images[row] * 255).round().byte().permute(1, 2, 0).numpy()
            atomic_write(path, _png(pixels))


def _folder_names(class_names: list[str]) -> list[str]:
    """Names of folders for the classes, in their order; whatever a class is called."""
    digits = len(str(len(class_names) - 1))
    safe = (re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] for name in class_names)
    return [f"{i:0{digits}d}-{name}".rstrip("-") for i, name in enumerate(safe)]


def _png(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    picture.save(buffer, "PNG")
    return buffer.getvalue()
