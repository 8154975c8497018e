"""Example images of a class pair: clean, adversarial, and the difference between them."""

import base64
from io import BytesIO

import numpy as np

from classward.records.examples import PairExample, Pixels

MOST_GAIN = 64.0  # beyond, a difference of one grey level would fill the picture


def gain(example: PairExample) -> float:
    """By how much the shown difference is amplified: to the full range of grey levels."""
    largest = int(np.abs(_difference(example)).max())
    return min(127 / largest, MOST_GAIN) if largest else 1.0


def pictures(example: PairExample) -> dict[str, str]:
    """PNG data URIs by name: clean, difference around mid-grey, adversarial."""
    shown = np.clip(np.rint(127.5 + gain(example) * _difference(example)), 0, 255)
    return {
        "clean": _png(example.clean),
        "difference": _png(shown.astype(np.uint8)),
        "adversarial": _png(example.adversarial),
    }


def _difference(example: PairExample) -> np.ndarray:
    return example.adversarial.astype(np.int16) - example.clean.astype(np.int16)


def _png(pixels: Pixels) -> str:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
