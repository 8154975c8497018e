from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from classward.core.errors import InputError
from classward.data.pictures import decode, decode_batch, look

PIXELS = np.random.default_rng(0).integers(0, 2, (4, 6, 3), dtype=np.uint8) * 255


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)],
)
def test_every_mode_of_eight_bits_is_gray_or_colored(tmp_path, mode, channels):
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    colored = PIXELS if channels == 3 else PIXELS[:, :, :1].repeat(3, axis=2)
    Image.fromarray(colored).convert(mode).save(path)
    assert look(path) == (channels, 4, 6)
    assert np.array_equal(decode(path, "it", 3), colored.transpose(2, 0, 1))
    assert decode(path, "it", 1).shape == (1, 4, 6)


def test_a_picture_is_stretched_only_where_that_is_asked(write):
    def sources():
        return [BytesIO(write.picture(PIXELS)), BytesIO(write.picture(PIXELS[:, :3]))]

    names, shape = ["whole", "half"], (3, 4, 6)
    batch = decode_batch(sources(), names, shape, stretch=True)
    assert torch.equal(batch[0], torch.from_numpy(PIXELS).permute(2, 0, 1))
    with pytest.raises(InputError, match=r"half has shape \(3, 4, 3\), expected \(3, 4, 6\)"):
        decode_batch(sources(), names, shape)


def test_a_picture_beyond_the_limit_is_refused(monkeypatch, write):
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match="it cannot be read .DecompressionBombError."):
        decode(BytesIO(write.picture(PIXELS)), "it", 3)
