"""Adversarial images that were made elsewhere: matched with their samples, checked, judged."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from classward.core.balls import Ball
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.core.types import Access, Classifier, Images, Labels, SampleLoss, Until
from classward.data.archives import opened_zip, read_array, reading
from classward.data.labels import checked_ids
from classward.data.pictures import decode_batch, look
from classward.data.pixels import checked_images, unit
from classward.data.split import Split
from classward.evaluation.invariants import TOLERANCE
from classward.evaluation.judge import Model
from classward.evaluation.run_attack import run_attack
from classward.records.record import Record


def judge_images(
    model: Model,
    data: Split,
    images: Any,
    *,
    ball: Ball | None = None,
    ids: Any = None,
    source: str = "images",
    targets: Tensor | None = None,
    batch_size: int = 128,
    device: str = "cpu",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    save_images: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Record what `model` says of adversarial images, as if an attack here had made them.

    Args:
        model: Images in [0, 1] to logits.
        data: The clean samples.
        images: Their adversarial images, NCHW, floats in [0, 1] or uint8.
        ball: Norm and radius they must keep; `None` asks for none.
        ids: The sample of each image, if they are not those of `data` in its order; images of
            other samples are left out.
        source: What to call the images in errors and in the record.
        targets: The class each sample was to reach, in the order of `data`.
        batch_size: Images at once.
        device: A torch device.
        out: Folder for the record; in memory by default.
        resume: Go on with the record in `out`.
        overwrite: Replace the run in `out`.
        save_images: Keep the images in the record.
        progress: Called after each batch.

    Raises:
        InputError: If images and data do not fit each other, or an image is not in [0, 1] or
            not in the ball.
    """
    pixels, order = _matched(data, images, ids, source), data.ids.argsort()
    if ball is not None:
        _check_ball(data, pixels, ball, source)
    made = GivenImages(pixels=pixels[order], ids=data.ids[order], ball=ball, name=source)
    return run_attack(
        model,
        made,
        data,
        gradient_model=model,  # there is nothing to differentiate
        targets=targets,
        batch_size=batch_size,
        device=device,
        out=out,
        resume=resume,
        overwrite=overwrite,
        save_images=save_images,
        progress=progress,
    )


def read_images(path: str | Path) -> tuple[Any, Any]:
    """Images and, if the file says, the ids of their samples.

    Args:
        path: An `.npz` with `images` and perhaps `ids`, an `.npy` with the images, or a folder
            with an `images.npz` or with PNG files `ID.png`, at any depth.

    Raises:
        InputError: If it is none of these, or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return (
            read_images(path / "images.npz") if (path / "images.npz").exists() else _png(path)
        )
    if path.suffix == ".npz":
        with opened_zip(path) as archive:
            has_ids = "ids.npy" in archive.namelist()
            images = read_array(archive, "images.npy")
            return images, read_array(archive, "ids.npy") if has_ids else None
    if path.suffix != ".npy":
        raise InputError(f"{path}: expected an .npz or .npy file, or a folder of PNG files")
    with reading(path):
        return np.load(path, mmap_mode="r", allow_pickle=False), None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GivenImages:
    """An attack that has been made already.

    Attributes:
        pixels: Its images, uint8 or floats in [0, 1].
        ids: Their samples, ascending.
        ball: Norm and radius they keep, if any.
        name: What to call them.
    """

    access: ClassVar[Access] = "gradient"
    needs: ClassVar[frozenset[str]] = frozenset()

    pixels: Shaped[Tensor, "n c h w"]
    ids: Int64[Tensor, " n"]
    ball: Ball | None
    name: str

    def __repr__(self) -> str:
        summed = hashlib.sha256(self.pixels.numpy().tobytes()).hexdigest()
        return f"{self.name}(ball={self.ball}, sha256={summed})"

    def __call__(
        self,
        model: Classifier,
        images: Images,
        labels: Labels,
        *,
        rng: SampleRandom,
        targets: Labels | None = None,
        loss: SampleLoss | None = None,
        until: Until | None = None,
    ) -> Images:
        """Return the images of the samples, whatever is asked for."""
        return unit(self.pixels[torch.searchsorted(self.ids, rng.ids)]).to(images)


def _matched(data: Split, images: Any, ids: Any, source: str) -> Shaped[Tensor, "n c h w"]:
    """The image of each sample, in the order of the data."""
    try:
        if not hasattr(images, "__len__"):
            raise InputError(f"expected an array, got {type(images).__name__}")
        count = len(images)
        given = data.ids if ids is None else checked_ids(ids, count)
        if ids is None and count != len(data):
            raise InputError(f"{count} images for {len(data)} samples: say which with ids")
        pixels = checked_images(images, given)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if tuple(pixels.shape[1:]) != data.shape:
        shapes = f"{tuple(pixels.shape[1:])}, those of {data.name} {data.shape}"
        raise InputError(f"{source}: images have shape {shapes}")
    if ids is None:
        return pixels
    ascending, order = given.sort()
    place = torch.searchsorted(ascending, data.ids).clamp(max=count - 1)
    if absent := (ascending[place] != data.ids).nonzero().flatten().tolist():
        raise InputError(f"{source}: no image of sample {int(data.ids[absent[0]])}")
    return pixels[order[place]]


def _check_ball(data: Split, pixels: Tensor, ball: Ball, source: str) -> None:
    allowed = ball.eps + TOLERANCE if ball.eps > 0 else 0.0
    for rows in torch.arange(len(data)).split(128):
        distance = ball.distance(unit(pixels[rows]), data.batch(rows))
        if wrong := (~(distance <= allowed)).nonzero().flatten().tolist():
            far, sample = float(distance[wrong[0]]), int(data.ids[rows[wrong[0]]])
            raise InputError(
                f"{source}: the image of sample {sample} is {far:.6g} from the clean one, "
                f"beyond {ball}"
            )


def _png(folder: Path) -> tuple[Tensor, list[int]]:
    paths = sorted(path for path in folder.rglob("*.png") if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder} has no PNG files: expected ID.png, at any depth")
    for path in paths:
        if not path.stem.isdecimal():
            raise InputError(
                f"{path}: name each picture by the id of its sample, such as 7.png"
            )
    pixels = decode_batch(paths, [*map(str, paths)], look(paths[0]))
    return pixels, [int(path.stem) for path in paths]
