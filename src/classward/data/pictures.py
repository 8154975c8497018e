"""Decoding pictures of the common formats."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from classward.core.errors import InputError
from classward.data.archives import reading

FORMATS = ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]  # no other decoder is run
GRAY = {"1", "L", "LA"}
COLOR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}


def look(path: Path) -> tuple[int, int, int]:
    """Channels, 1 or 3, height and width of a picture, from its header.

    Raises:
        InputError: If it is no picture, or has more than 8 bits for each value.
    """
    from PIL import Image

    with reading(path), Image.open(path, formats=FORMATS) as image:
        if image.mode not in GRAY | COLOR:
            raise InputError(
                f"{path} has mode {image.mode}: save it with 8 bits for each value"
            )
        return 1 if image.mode in GRAY else 3, image.height, image.width


def decode(
    source: Path | BytesIO, name: str, channels: int, size: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "c h w"]:
    """Pixels of a picture; one beyond Pillow's limit, 179 million pixels, is refused.

    Args:
        source: The picture.
        name: What to call it in an error.
        channels: 1 for gray, 3 for RGB.
        size: (height, width) to stretch it to; `None` leaves it as it is.

    Raises:
        InputError: If it cannot be decoded.
    """
    from PIL import Image

    with reading(name), Image.open(source, formats=FORMATS) as image:
        picture = image.convert("L" if channels == 1 else "RGB")
        if size is not None and size != (picture.height, picture.width):
            picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return (
            np.array(picture)
            .reshape(picture.height, picture.width, channels)
            .transpose(2, 0, 1)
        )


def decode_batch(
    sources: Sequence[Path | BytesIO],
    names: Sequence[str],
    shape: tuple[int, int, int],
    *,
    stretch: bool = False,
) -> UInt8[Tensor, "n c h w"]:
    """Pictures of one shape (channels, height, width).

    Raises:
        InputError: If one cannot be decoded, or has another shape and is not to be stretched.
    """
    pixels = torch.empty(len(sources), *shape, dtype=torch.uint8)
    for row, (source, name) in enumerate(zip(sources, names, strict=True)):
        picture = decode(source, name, shape[0], shape[1:] if stretch else None)
        if picture.shape != shape:
            raise InputError(f"{name} has shape {picture.shape}, expected {shape}")
        pixels[row] = torch.from_numpy(picture)
    return pixels
