import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from classward.reporting.pair_images import gain, pictures


def pixels(uri):
    prefix, data = uri.split(",")
    assert prefix == "data:image/png;base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_the_images(examples_of, channels):
    (example,) = examples_of(channels=channels, count=1)
    shown = pictures(example)
    clean = example.clean[..., 0] if channels == 1 else example.clean
    adversarial = example.adversarial[..., 0] if channels == 1 else example.adversarial
    assert np.array_equal(pixels(shown["clean"]), clean)
    assert np.array_equal(pixels(shown["adversarial"]), adversarial)


def test_the_difference_is_amplified_to_the_full_range(examples_of):
    (example,) = examples_of(count=1)
    difference = example.adversarial.astype(int) - example.clean
    shown = pixels(pictures(example)["difference"]).astype(float)
    assert gain(example) == 127 / np.abs(difference).max()
    assert np.abs(shown - 127.5 - gain(example) * difference[..., 0]).max() <= 1


def test_no_difference_is_grey(examples_of):
    (example,) = examples_of(count=1)
    same = replace(example, adversarial=example.clean)
    assert gain(same) == 1 and set(pixels(pictures(same)["difference"]).ravel()) == {128}


def test_one_grey_level_does_not_fill_the_picture(examples_of):
    (example,) = examples_of(count=1)
    clean = np.zeros((8, 8, 1), dtype=np.uint8)
    faint = replace(example, clean=clean, adversarial=clean + 1)
    assert gain(faint) == 64
