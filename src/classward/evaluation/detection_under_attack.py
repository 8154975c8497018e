"""Detectors under attackers who know of none, who need not know them, and who do.

Sources: Bryniarski et al., "Evading Adversarial Example Detection Defenses with Orthogonal
Projected Gradient Descent", arXiv:2106.15023 (climb the margin until the label has lost, and
only then the way out of the detector's sight: no weight between the two to be tuned);
Hosseini et al., arXiv:1907.12138 (logits of clean images of another class, which whatever sees
logits alone must pass).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from classward.attacks.logit_mimicry import LogitMimicry
from classward.attacks.pgd import PGD
from classward.core.balls import ball
from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.types import Labels, Logits, Precision, SampleLoss
from classward.correction.detector import Detector
from classward.correction.noise_statistic import NoiseStatistic
from classward.data.split import Split
from classward.evaluation.bank import Bank
from classward.evaluation.detection import NOISE, samples_of
from classward.evaluation.judge import Model
from classward.evaluation.run_attack import run_attack
from classward.evaluation.transfer import share_of
from classward.records.detection_result import DetectionUnderAttack, Evasion
from classward.records.record import Record

Flags = Callable[[Record], Tensor]  # which samples of a record are taken for attacked


def detection_under_attack(
    model: Model,
    detectors: Mapping[str, Detector],
    data: Split,
    *,
    bank: Bank,
    eps: float,
    norm: Literal["linf", "l2"],
    steps: int = 50,
    noise: NoiseStatistic | None = None,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    progress: Callable[[int, int], None] | None = None,
) -> DetectionUnderAttack:
    """What evades each detector: misclassified, and not flagged at 5 % false alarms.

    Args:
        model: Images in [0, 1] to logits.
        detectors: Fitted ones by name; the adaptive attack differentiates each.
        data: Images to attack, not those of the fit.
        bank: Clean logits of training images, of `clean_bank` or `bank_of`.
        eps: Radius of the attacks, in pixel units.
        norm: Their norm.
        steps: Steps of each.
        noise: A fitted noise statistic, judged beside the detectors; no attack here
            differentiates it.
        seed: Seed of the random starts.
        batch_size: Images at once.
        device: A torch device.
        precision: "exact", or "fast" to lead the attacks by bfloat16; see `run_attack`.
        progress: Called with samples done and all of them, over all attacks.

    Raises:
        InputError: If eps is 0, or model, detectors, bank and data do not fit each other.
    """
    if eps == 0:
        raise InputError("an attack on detectors needs eps above 0, got 0")
    within, runs = ball(norm, eps), len(detectors) + 2
    step = within.eps * min(1, 5 / steps)
    climb = PGD(ball=within, step_size=step, steps=steps, objective="margin", keep="best")
    mimic = LogitMimicry(ball=within, step_size=step, steps=steps)
    done = 0

    def attacked(attack: PGD | LogitMimicry, **more: Any) -> Record:
        nonlocal done
        tell, before = progress or (lambda part, total: None), done * len(data)
        done += 1
        return run_attack(
            model,
            attack,
            data,
            seed=seed,
            batch_size=batch_size,
            device=device,
            precision=precision,
            save_images=noise is not None,
            progress=lambda part, total: tell(before + part, runs * total),
            **more,
        )

    unknowing = {
        f"PGD-{steps}": attacked(climb),
        "logit mimicry": attacked(mimic, ingredients={"bank": bank}),
    }
    adaptive = f"PGD-{steps} on the detector"
    judged = {
        name: _evasion(
            lambda record, by=detector: torch.from_numpy(by.flags(record.adversarial_logits)),
            unknowing | {adaptive: attacked(climb, loss=evading(detector))},
            torch.from_numpy(detector.flags(unknowing[f"PGD-{steps}"].clean_logits)),
        )
        for name, detector in detectors.items()
    }
    if noise is not None:
        judged[NOISE] = _by_noise(noise, unknowing, data)
    first, *_ = unknowing.values()
    return DetectionUnderAttack(
        norm=norm,
        eps=within.eps,
        samples=int(first.correct.sum()),
        fell={
            name: share_of(record.success[record.correct]) for name, record in unknowing.items()
        },
        adaptive=adaptive,
        detectors=judged,
    )


def evading(detector: Detector) -> SampleLoss:
    """What climbs out of the detector's sight: the margin first, then down to its threshold.

    0 is the highest: misclassified, and not flagged.
    """

    def evasion(logits: Logits, labels: Labels) -> Float[Tensor, " n"]:
        lead = margin(logits, labels)
        seen = (detector.scores(logits) - detector.threshold_).clamp(min=0)
        return torch.where(lead > 0, -seen.to(lead), lead)

    return evasion


def _evasion(
    flags: Flags, records: Mapping[str, Record], alarmed: Bool[Tensor, " n"]
) -> Evasion:
    missed = {name: record.success & ~flags(record) for name, record in records.items()}
    first, *_ = records.values()
    return Evasion(
        false_alarms=share_of(alarmed[first.correct]),
        missed={name: share_of(through[first.correct]) for name, through in missed.items()},
    )


def _by_noise(noise: NoiseStatistic, records: Mapping[str, Record], data: Split) -> Evasion:
    def flags(record: Record) -> Tensor:
        assert record.images is not None
        return noise.flags(record.images, record.ids)

    first, *_ = records.values()
    clean = samples_of(first, data).batch(torch.arange(len(data)))
    return _evasion(flags, records, noise.flags(clean, first.ids))
