"""A corrector in three columns: no defense, gray-box, and the attacker who knows it.

Sources: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Tables 1 and 2 (gray-box: the attack knows the classifier alone); Athalye et al., "Obfuscated
Gradients Give a False Sense of Security", arXiv:1802.00420 (why the third column is needed).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from classward.attacks.apgd import APGD
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.logit_mimicry import LogitMimicry
from classward.attacks.pgd import PGD
from classward.core.balls import Ball, ball
from classward.core.errors import InputError
from classward.core.losses import LOSSES, cross_entropy, margin
from classward.core.types import Attack, Precision, SampleLoss
from classward.correction.corrector import Corrector
from classward.correction.pool import check_final
from classward.data.split import Split
from classward.evaluation.bank import bank_of
from classward.evaluation.judge import model_digest
from classward.evaluation.run_attack import run_attack
from classward.evaluation.transfer import corrected_right, share_of
from classward.models.corrected import Corrected
from classward.records.correction_result import CorrectionRow, CorrectionTable
from classward.records.record import Record

MIMICRY = "logit mimicry"


def adaptive_losses(model: object) -> dict[str, SampleLoss]:
    """What an attacker who knows a model climbs: the losses that its parts name.

    A part names them as `adaptive_losses`, each by its name in `core.losses` or as a function
    of logits and labels, one value for each sample.

    Raises:
        InputError: If it names what is no loss.
    """
    found: dict[str, SampleLoss] = {}
    for part in model.modules() if isinstance(model, nn.Module) else ():
        named: Any = getattr(part, "adaptive_losses", ())
        for loss in named:
            if not callable(loss) and loss not in LOSSES:
                raise InputError(
                    f"{type(part).__name__} names adaptive loss {loss!r}: expected a function "
                    f"or one of {', '.join(LOSSES)}"
                )
            function: Any = loss if callable(loss) else LOSSES[loss]
            found[getattr(function, "__name__", repr(function))] = function
    return found


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """An attack on a corrected classifier by who knows its corrector.

    Attributes:
        attack: The attack.
        loss: What it climbs; its own by default.
        bounded: Whether it stays in the ball, and so counts for the worst case.
    """

    attack: Attack
    loss: SampleLoss | None = None
    bounded: bool = True


def adaptive_attacks(within: Ball, steps: int = 50) -> dict[str, Adaptive]:
    """What is run on the corrected classifier, by name.

    A corrector is differentiable, so the classifier that is judged is the one differentiated.
    The margin does not saturate where cross-entropy does; fine and coarse steps, and steps that
    adapt, are for a loss surface on which a quarter of the radius overshoots or stalls. Logit
    mimicry goes another way: it needs the bare classifier alone, and shows the corrector logits
    as clean images of another class have them.

    Raises:
        ValueError: If the radius is 0.
    """

    def pgd(step_size: float, loss: SampleLoss) -> Adaptive:
        return Adaptive(attack=PGD(ball=within, step_size=step_size, steps=steps), loss=loss)

    quarter, fine = within.eps / min(4, steps), within.eps * min(1, 2.5 / steps)
    apgd = APGD(ball=within, steps=steps)
    return {
        f"PGD-{steps} CE": pgd(quarter, cross_entropy),
        f"PGD-{steps} margin": pgd(quarter, margin),
        f"PGD-{steps} margin, fine steps": pgd(fine, margin),
        f"PGD-{steps} margin, coarse steps": pgd(within.eps, margin),
        f"APGD-{steps} CE": Adaptive(attack=apgd, loss=cross_entropy),
        f"APGD-{steps} margin": Adaptive(attack=apgd, loss=margin),
        MIMICRY: Adaptive(attack=LogitMimicry(ball=within, step_size=2 * fine, steps=steps)),
        "C&W, any distance": Adaptive(attack=CarliniWagner(), bounded=False),
    }


def correction_table(
    model: nn.Module,
    corrector: Corrector,
    data: Split,
    records: Mapping[str, Record],
    *,
    eps: float,
    norm: Literal["linf", "l2"],
    steps: int = 50,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    progress: Callable[[int, int], None] | None = None,
) -> CorrectionTable:
    """Judge a fitted corrector; the clean columns are those of the largest record.

    Args:
        model: The bare classifier, images in [0, 1] to logits.
        corrector: Fitted on training images.
        data: Images to attack adaptively, not those of the fit.
        records: Attacks on `model` and samples of `data`, by name: the gray-box column.
        eps: Radius of the adaptive attacks, in pixel units.
        norm: Their norm.
        steps: Steps of each.
        seed: Seed of their random starts.
        batch_size: Images at once.
        device: A torch device.
        precision: "exact", or "fast" to lead the attacks by bfloat16; see `run_attack`.
        progress: Called with samples done and all of them, over all adaptive attacks.

    Raises:
        InputError: If the records, the corrector and the data do not fit each other, or the
            bare classifier gets no image right.
    """
    check_correction(model, corrector, data, records, eps)
    largest = max(records.values(), key=len)
    bank = bank_of(largest)
    attacks = adaptive_attacks(ball(norm, eps), steps)
    if len(bank.argmax(dim=1).unique()) == 1:
        del attacks[MIMICRY]  # there is no other class to imitate
    corrected = Corrected(model, corrector.network_)
    survived: dict[str, Tensor] = {}
    for name, how in attacks.items():
        survived[name] = run_attack(
            corrected,
            how.attack,
            data,
            loss=how.loss,
            gradient_model=model if name == MIMICRY else None,
            ingredients={"bank": bank} if name == MIMICRY else None,
            until="first_success",
            seed=seed,
            batch_size=batch_size,
            device=device,
            precision=precision,
            progress=_part(progress, len(survived), len(attacks)),
        ).robust
    worst = torch.stack([survived[name] for name, how in attacks.items() if how.bounded])
    clean = corrected_right(corrector, largest.clean_logits, largest.labels)
    return CorrectionTable(
        corrector=_described(corrector),
        fitted_on=corrector.fitted_on_,
        training_samples=corrector.training_samples_,
        clean=share_of(largest.correct),
        clean_corrected=share_of(clean),
        clean_selected=share_of(clean[largest.correct]),
        gray_box=[_gray_box(name, record, corrector) for name, record in records.items()],
        adaptive={name: share_of(robust) for name, robust in survived.items()},
        adaptive_worst=share_of(worst.all(dim=0)),
        eps=eps,
        norm=norm,
    )


def _gray_box(name: str, record: Record, corrector: Corrector) -> CorrectionRow:
    right = corrected_right(corrector, record.adversarial_logits, record.labels)
    return CorrectionRow(
        attack=name,
        no_defense=share_of(record.predictions == record.labels),
        gray_box=share_of(right),
        gray_box_selected=share_of(right[record.correct]),
    )


def _described(corrector: Corrector) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in corrector.get_params().items())
    return f"{type(corrector).__name__}({options})"


def _part(
    progress: Callable[[int, int], None] | None, index: int, parts: int
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, parts * total)


def check_correction(
    model: nn.Module,
    corrector: Corrector,
    data: Split,
    records: Mapping[str, Record],
    eps: float,
) -> None:
    """Refuse what `correction_table` cannot judge.

    Raises:
        InputError: If the records, the corrector and the data do not fit each other.
    """
    if eps == 0:
        raise InputError("an adaptive attack needs eps above 0, got 0")
    check_is_fitted(corrector)
    if not records:
        raise InputError("correction_table needs at least one attack record, got none")
    digest = model_digest(model)
    labels = dict(zip(data.ids.tolist(), data.labels.tolist(), strict=True))
    for name, record in records.items():
        check_final(record, f"record '{name}'")
        if record.settings.get("model", digest) != digest:
            raise InputError(f"record '{name}' is of another classifier; attack this one")
        if record.classes != corrector.n_features_in_:
            raise InputError(
                f"record '{name}' has {record.classes} classes, the corrector "
                f"{corrector.n_features_in_}: fit one on records of this model"
            )
        for sample, label in zip(record.ids.tolist(), record.labels.tolist(), strict=True):
            if labels.get(sample) != label:
                raise InputError(
                    f"record '{name}': {data.name} has no sample {sample} of label {label}; "
                    "attack the same images"
                )
