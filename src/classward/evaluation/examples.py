"""Example images of the maximum symmetry pairs: made again, since every sample can be."""

import numpy as np
import torch
from torch import Tensor

from classward.core.types import Attack, Pair, SampleLoss
from classward.data.split import Split
from classward.evaluation.judge import Model
from classward.evaluation.run_attack import run_attack
from classward.records.examples import PairExample
from classward.records.record import Record

EACH = 2  # examples in each direction of a pair
PAIRS = 5  # pairs with examples


def pair_examples(
    model: Model,
    data: Split,
    record: Record,
    attack: Attack,
    loss: SampleLoss | None,
    pairs: list[Pair],
    *,
    device: str = "cpu",
) -> list[PairExample]:
    """Samples that were right and fell to the other class of their pair, up to two each way.

    The attack runs again on them alone; every sample has its own random numbers, so it finds
    the same images. One that rounding turns elsewhere is left out.
    """
    directions = [way for i, j in pairs[:PAIRS] for way in ((i, j), (j, i))]
    rows = torch.cat(
        [torch.zeros(0, dtype=torch.int64), *(_fallen(record, *way) for way in directions)]
    )
    if len(rows) == 0 or data.shape[0] not in (1, 3):
        return []
    chosen = data.select(data.ids.argsort()[rows])
    again = run_attack(
        model,
        attack,
        chosen,
        loss=loss,
        seed=record.settings["seed"],
        device=device,
        save_images=True,
    )
    assert again.images is not None
    clean = chosen.batch(chosen.ids.argsort())
    names = again.class_names
    first = {int(row): way for way in directions for row in record.ids[_fallen(record, *way)]}
    return [
        PairExample(
            source=names[first[int(again.ids[i])][0]],
            target=names[first[int(again.ids[i])][1]],
            clean=_pixels(clean[i]),
            adversarial=_pixels(again.images[i]),
            clean_prediction=names[again.clean_predictions[i]],
            adversarial_prediction=names[again.predictions[i]],
        )
        for i in range(len(again))
        if int(again.predictions[i]) == first[int(again.ids[i])][1]
    ]


def _fallen(record: Record, source: int, target: int) -> Tensor:
    fell = record.correct & (record.labels == source) & (record.predictions == target)
    return fell.nonzero().flatten()[:EACH]


def _pixels(image: Tensor) -> np.ndarray:
    return (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
