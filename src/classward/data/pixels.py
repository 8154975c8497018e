"""What may be an image: unsigned bytes, or floats in [0, 1]; channels first."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from classward.core.errors import InputError
from classward.core.types import Images

TOLERANCE = 1e-6  # what the rounding of a resize or a codec may add; more is another range


def checked_images(images: Any, ids: Int64[Tensor, " n"]) -> Tensor:
    """Images as they are kept: bytes untouched, floats as float32 clamped into [0, 1].

    Raises:
        InputError: If they are no such images; the id of the first offender is named.
    """
    pixels = _tensor(images)
    _check_layout(tuple(pixels.shape))
    if pixels.dtype == torch.uint8:
        return pixels
    values = pixels.flatten(1)
    low, high = values.amin(dim=1), values.amax(dim=1)
    inside = (low >= -TOLERANCE) & (high <= 1 + TOLERANCE)
    if not inside.all():
        first = int(inside.logical_not().nonzero()[0])
        pixel = low[first] if low[first] < -TOLERANCE else high[first]
        raise InputError(f"image {ids[first]} has a pixel of {pixel:.4g}: {_fix(values)}")
    return pixels.clamp(0, 1)


def unit(pixels: Tensor) -> Images:
    """Checked images as float32 in [0, 1]; a byte is divided by 255."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def _tensor(images: Any) -> Tensor:
    if not isinstance(images, np.ndarray | Tensor):
        raise InputError(f"images must be an array or a tensor, got {type(images).__name__}")
    kind = np.dtype(images.dtype).kind if isinstance(images, np.ndarray) else ""
    floats = kind == "f" or (isinstance(images, Tensor) and images.is_floating_point())
    if not floats and images.dtype not in (np.uint8, torch.uint8):
        raise InputError(f"images must be uint8 or float, got {images.dtype}: convert them")
    if isinstance(images, Tensor):
        return images.detach().cpu().float() if floats else images.detach().cpu()
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.require(images, np.float32 if floats else None, ["C", "W"]))


def _check_layout(shape: tuple[int, ...]) -> None:
    if len(shape) != 4:
        hint = ": add the channel axis, images[:, None]" if len(shape) == 3 else ""
        raise InputError(f"images must have shape (n, c, h, w), got {shape}{hint}")
    if 0 in shape[1:]:
        raise InputError(f"images of shape {shape} have no pixels")
    if shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise InputError(
            f"images of shape {shape} have their channels last: "
            "move them first, numpy.transpose(images, (0, 3, 1, 2))"
        )


def _fix(values: Tensor) -> str:
    if not values.isfinite().all():
        return "replace what is not finite"
    if values.min() < -TOLERANCE:
        return "images are in [0, 1]; undo the normalisation, it belongs into the model"
    if 2 < values.max() <= 255:
        return "images are uint8 or floats in [0, 1]; divide these by 255"
    return "scale the images to [0, 1]"
