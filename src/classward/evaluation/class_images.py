"""A typical clean image of a class, small enough to stand inside a result."""

import base64
import io
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from classward.core.errors import InputError
from classward.data.split import Split
from classward.records.record import Record

LARGEST = 96  # pixels of a side


def class_images(classes: Iterable[str], record: Record, data: Split) -> dict[str, str]:
    """Class -> an image of it that was right before the attack, as a data URI of a PNG.

    Of those, the one with the median logit of the class. Classes without any are left out, and
    all of them where images have other than 1 or 3 channels.

    Args:
        classes: Names.
        record: An attack on samples of `data`.
        data: The clean images.

    Raises:
        InputError: If the record has samples that the data have not.
    """
    places = {sample: n for n, sample in enumerate(data.ids.tolist())}
    shown: dict[str, str] = {}
    for name in dict.fromkeys(classes if data.shape[0] in (1, 3) else ()):
        place = record.class_names.index(name)
        rows = (record.correct & (record.labels == place)).nonzero().flatten()
        if len(rows) == 0:
            continue
        order = record.clean_logits[rows, place].argsort(stable=True)
        sample = int(record.ids[rows[order[len(rows) // 2]]])
        position = places.get(sample)
        if position is None or data.labels[position] != place:
            raise InputError(
                f"{data.name} has no sample {sample} of class {place}: give the attacked data"
            )
        shown[name] = _data_uri(data.batch(torch.tensor([position]))[0])
    return shown


def _data_uri(image: Float[Tensor, "c h w"]) -> str:
    from PIL import Image

    pixels = (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
