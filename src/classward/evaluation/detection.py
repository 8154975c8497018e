"""Detectors against attacks: can attacked logits be told from clean ones?

Source: the interval is that of Hanley and McNeil, "The meaning and use of the area under a
receiver operating characteristic (ROC) curve", Radiology 143, 1982.
"""

from collections.abc import Mapping
from math import sqrt
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from classward.core.errors import InputError
from classward.core.wilson import Z
from classward.correction.corrector import Corrector
from classward.correction.detector import Detector, Score, pair_of
from classward.correction.logit_scores import OF_CORRECTOR
from classward.correction.noise_statistic import NoiseStatistic
from classward.correction.pool import check_final
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.records.detection_result import Detection, DetectionTable
from classward.records.record import Record

CAUGHT = 0.95  # of the attacked images, where false alarms are counted
NOISE = "noise"
Scores = Float[np.ndarray, " n"]


def detection_table(
    fitted_on: Mapping[str, Record],
    records: Mapping[str, Record],
    *,
    corrector: Corrector | None = None,
    noise: NoiseStatistic | None = None,
    data: Split | None = None,
) -> DetectionTable:
    """Every detector, fitted on one set of records, on each of another.

    Positives are attacked logits of samples that were right and fell, negatives the clean ones
    of those that were right. No attack here knows of a detector.

    Args:
        fitted_on: Records of training images by name.
        records: Records of test images by name.
        corrector: Adds the detectors that compare logits with corrected ones.
        noise: Adds the noise statistic, which needs `data` and records that kept their images.
        data: The clean images of `records`.

    Raises:
        InputError: If either is empty, or the records do not fit each other or the data.
    """
    detectors = fitted_detectors(fitted_on, records, corrector)
    cells: list[list[Detection | None]] = []
    for name, record in records.items():
        check_final(record, f"record '{name}'")
        clean, attacked = pair_of(record)
        row = [
            compared(*(detector.decision_function(rows) for rows in (clean, attacked)))
            for detector in detectors.values()
        ]
        cells.append(row if noise is None else [*row, _by_noise(noise, record, data)])
    return DetectionTable(
        fitted_on=list(fitted_on),
        detectors=[*detectors, *([] if noise is None else [NOISE])],
        attacks=list(records),
        cells=cells,
    )


def fitted_detectors(
    fitted_on: Mapping[str, Record],
    records: Mapping[str, Record],
    corrector: Corrector | None = None,
) -> dict[str, Detector]:
    """Every detector by its score; those of a corrector only if there is one.

    Raises:
        InputError: If there are no records of one kind, or they do not fit each other.
    """
    if not fitted_on or not records:
        raise InputError("detection needs records to fit on and records to judge on")
    widths = {record.classes for record in (*fitted_on.values(), *records.values())}
    widths |= set() if corrector is None else {corrector.n_features_in_}
    if len(widths) > 1:
        raise InputError(f"records of {sorted(widths)} classes: give records of one model")
    names: tuple[Score, ...] = get_args(Score)
    return {
        name: Detector(score=name, corrector=corrector).fit_records([*fitted_on.values()])
        for name in names
        if corrector is not None or name not in OF_CORRECTOR
    }


def noise_statistic(
    model: Model,
    data: Split,
    *,
    noise: float = 16 / 255,
    draws: int = 32,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
) -> NoiseStatistic:
    """The noise statistic of a model, fitted on training images.

    Args:
        model: Images in [0, 1] to logits.
        data: Clean training images, some of each class.
        noise: Deviation of the noise, in pixel units.
        draws: Draws for each image.
        seed: Seed of them.
        batch_size: Images at once.
        device: A torch device.

    Raises:
        InputError: If model and data do not fit, or no image of some class is right.
        ValueError: If an option is unfit.
    """
    made = NoiseStatistic(
        model, noise=noise, draws=draws, seed=seed, batch_size=batch_size, device=device
    )
    with judging(model, device):
        judge = Judge(model, data, device)
        positions = torch.arange(len(data)).split(batch_size)
        return made.fit(judge.batch(some) for some in positions)


def samples_of(record: Record, data: Split) -> Split:
    """The clean images of a record, in its order.

    Raises:
        InputError: If the data do not hold them.
    """
    places = {sample: n for n, sample in enumerate(data.ids.tolist())}
    if absent := [sample for sample in record.ids.tolist() if sample not in places]:
        raise InputError(f"{data.name} has no sample {absent[0]}: give the attacked data")
    chosen = data.select(torch.tensor([places[sample] for sample in record.ids.tolist()]))
    if not torch.equal(chosen.labels, record.labels):
        raise InputError(
            f"{data.name} has other labels than the record: give the attacked data"
        )
    return chosen


def compared(clean: Scores, attacked: Float[np.ndarray, " m"]) -> Detection | None:
    """How well scores tell attacked images, which have the higher ones, from clean ones."""
    if len(clean) == 0 or len(attacked) == 0:
        return None
    truth = np.repeat([0, 1], [len(clean), len(attacked)])
    scores = np.concatenate([clean, attacked])
    area = float(roc_auc_score(truth, scores))
    false, caught, _ = roc_curve(truth, scores, drop_intermediate=False)
    half = Z * _deviation(area, len(clean), len(attacked))
    return Detection(
        auroc=area,
        low=max(0.0, area - half),
        high=min(1.0, area + half),
        aupr=float(average_precision_score(truth, scores)),
        fpr95=float(false[np.argmax(caught >= CAUGHT)]),
        clean=len(clean),
        attacked=len(attacked),
    )


def _by_noise(noise: NoiseStatistic, record: Record, data: Split | None) -> Detection | None:
    fell = record.correct & record.success
    if record.images is None or not fell.any():
        return None
    if data is None:
        raise InputError("the noise statistic needs the clean images of the records: give data")
    chosen = samples_of(record, data)
    right = record.correct.nonzero().flatten()
    clean = noise.scores(chosen.batch(right), record.ids[right])
    attacked = noise.scores(record.images[fell], record.ids[fell])
    return compared(clean.numpy(), attacked.numpy())


def _deviation(area: float, clean: int, attacked: int) -> float:
    """Of an area under the ROC curve."""
    two_attacked, two_clean = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (attacked - 1) * (two_attacked - area**2)
    variance += (clean - 1) * (two_clean - area**2)
    return sqrt(max(0.0, variance) / (clean * attacked))
