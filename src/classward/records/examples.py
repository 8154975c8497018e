"""Example images of class pairs, kept beside a result so that a page can show them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from classward.core.errors import InputError
from classward.records.run_folder import RunFolder

FILE = "examples.npz"
NAMES = ("source", "target", "clean_prediction", "adversarial_prediction")
Pixels = UInt8[np.ndarray, "h w c"]


@dataclass(frozen=True, kw_only=True)
class PairExample:
    """One image of a class that fell to the other class of its pair.

    Attributes:
        source: Name of its own class.
        target: Name of the other class of the pair.
        clean: The image, rounded to 8 bit; 1 or 3 channels, last.
        adversarial: The same after the attack.
        clean_prediction: Name of the class it was taken for before.
        adversarial_prediction: Name of the class it was taken for after.
    """

    source: str
    target: str
    clean: Pixels
    adversarial: Pixels
    clean_prediction: str
    adversarial_prediction: str

    def __post_init__(self) -> None:
        shapes = self.clean.shape, self.adversarial.shape
        if shapes[0] != shapes[1] or self.clean.shape[2] not in (1, 3):
            raise InputError(f"example images must be (h, w, 1 or 3) and equal, got {shapes}")


def write_examples(folder: RunFolder, examples: Sequence[PairExample]) -> None:
    """Keep examples in a run folder; without any, nothing is written."""
    if not examples:
        return
    columns = {name: np.array([getattr(e, name) for e in examples]) for name in NAMES}
    columns["clean"] = np.stack([example.clean for example in examples])
    columns["adversarial"] = np.stack([example.adversarial for example in examples])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **columns)
    folder.write(FILE, buffer.getvalue())


def read_examples(folder: RunFolder) -> list[PairExample]:
    """What `write_examples` kept; empty where nothing was.

    Raises:
        InputError: If the file is damaged.
    """
    path = folder.path / FILE
    if not path.exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as columns:
            read = {name: columns[name] for name in (*NAMES, "clean", "adversarial")}
    except Exception as error:  # noqa: BLE001 a damaged zip raises many kinds
        raise InputError(f"{path}: damaged ({type(error).__name__}); delete it") from None
    return [
        PairExample(
            **{name: str(read[name][i]) for name in NAMES},
            clean=read["clean"][i],
            adversarial=read["adversarial"][i],
        )
        for i in range(len(read["clean"]))
    ]
