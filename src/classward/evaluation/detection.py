"""Detectors against attacks: can attacked logits be told from clean ones?

Source: the interval is that of Hanley and McNeil, "The meaning and use of the area under a
receiver operating characteristic (ROC) curve", Radiology 143, 1982.
"""

from collections.abc import Mapping
from math import sqrt
from typing import get_args

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from classward.analysis.significance import Z
from classward.core.errors import InputError
from classward.correction.detector import Detector, Score, pair_of
from classward.correction.pool import check_final
from classward.records.detection_result import Detection, DetectionTable
from classward.records.record import Record

CAUGHT = 0.95  # of the attacked images, where false alarms are counted


def detection_table(
    fitted_on: Mapping[str, Record], records: Mapping[str, Record]
) -> DetectionTable:
    """Every detector, fitted on one set of records, on each of another.

    Positives are attacked logits of samples that were right and fell, negatives the clean ones
    of those that were right. No attack here knows of a detector.

    Args:
        fitted_on: Records of training images by name.
        records: Records of test images by name.

    Raises:
        InputError: If either is empty, or the records do not fit each other.
    """
    if not fitted_on or not records:
        raise InputError("detection needs records to fit on and records to judge on")
    widths = {record.classes for record in (*fitted_on.values(), *records.values())}
    if len(widths) > 1:
        raise InputError(f"records of {sorted(widths)} classes: give records of one model")
    for name, record in records.items():
        check_final(record, f"record '{name}'")
    names: tuple[Score, ...] = get_args(Score)
    detectors = [Detector(score=name).fit_records([*fitted_on.values()]) for name in names]
    return DetectionTable(
        fitted_on=list(fitted_on),
        detectors=list(names),
        attacks=list(records),
        cells=[
            [_judged(detector, record) for detector in detectors] for record in records.values()
        ],
    )


def _judged(detector: Detector, record: Record) -> Detection | None:
    clean, attacked = pair_of(record)
    if len(clean) == 0 or len(attacked) == 0:
        return None
    truth = np.repeat([0, 1], [len(clean), len(attacked)])
    scores = np.concatenate([detector.decision_function(rows) for rows in (clean, attacked)])
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


def _deviation(area: float, clean: int, attacked: int) -> float:
    """Of an area under the ROC curve."""
    two_attacked, two_clean = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (attacked - 1) * (two_attacked - area**2)
    variance += (clean - 1) * (two_clean - area**2)
    return sqrt(max(0.0, variance) / (clean * attacked))
