"""The main job: attack a classifier, analyse which class falls to which, judge the number."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from classward.analysis.analyze import analyze
from classward.analysis.significance import wilson
from classward.core.balls import ball as make_ball
from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation import verdict as checks_of
from classward.evaluation.blind import blind_share
from classward.evaluation.examples import pair_examples
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.plan import GRADIENTS, HEADLINE, Planned, plan
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.models.class_weights import class_weights
from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit, Check, ClassAccuracy, RatioAndP
from classward.records.examples import write_examples
from classward.records.record import Record
from classward.records.result import Matrix, Passes
from classward.records.run_folder import RunFolder
from classward.records.saved import dump

Progress = Callable[[str, int, int], None]  # attack, samples done, samples in all


def audit(
    model: Model,
    data: Split,
    *,
    eps: float = 8 / 255,
    norm: Literal["linf", "l2"] = "linf",
    expect_clean: float | None = None,
    tolerance: float = 0.2,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    model_name: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Audit:
    """Attack `model` on `data` and say how robust it is, per class, and whether to believe it.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        eps: Radius of the ball, in pixel units.
        norm: Norm of the ball.
        expect_clean: Clean accuracy the model is known to have, in [0, 1].
        tolerance: Largest difference of a symmetric pair.
        seed: Seed of the run.
        batch_size: Images at once.
        device: A torch device.
        model_name: How to name the model in the report.
        out: Folder for records, `result.json` and examples; nothing is written by default.
        resume: Go on with the run in `out`.
        overwrite: Replace the run in `out`.
        progress: Called after each batch.

    Raises:
        InputError: If model, data and options do not fit each other.
        InvariantError: If an attack breaks a promise.
    """
    if expect_clean is not None and not 0 <= expect_clean <= 1:
        raise InputError(
            f"expect_clean {expect_clean} is no share: expected 0 to 1, like 0.917"
        )
    planned = plan(eps, norm)
    with judging(model, device):
        judge = Judge(model, data, device)  # refuses what does not fit before a file is made
        weights, reason = class_weights(model, judge.probe)
    mode = checks_of.mode_is_eval(model, judge.probe)
    settings = {
        "model": model_name or type(model).__name__,
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
        "eps": eps,
        "norm": norm,
        "seed": seed,
        "attacks": {key: str(entry) for key, entry in planned.items()},
    }
    with _folder(out, settings, resume, overwrite) as folder:
        records = {
            key: run_attack(
                model,
                entry.attack,
                data,
                loss=entry.loss,
                until=entry.until,
                seed=seed,
                batch_size=batch_size,
                device=device,
                out=None if folder is None else folder.path / key,
                resume=resume,
                progress=None if progress is None else _named(progress, key),
            )
            for key, entry in planned.items()
        }
        blind = {
            key: blind_share(
                model,
                data,
                planned[key].loss,
                make_ball(norm, eps),
                seed=seed,
                batch_size=batch_size,
                device=device,
            )
            for key in GRADIENTS
            if checks_of.many_zero_gradients(records[key])
        }
        checks = [*_checks(records, blind, eps, norm, expect_clean), mode]
        analysis = analyze(
            records[HEADLINE],
            weights=weights,
            weights_reason=reason,
            tolerance=tolerance,
            seed=seed,
        )
        audited = _result(records, planned, checks, analysis, settings)
        if folder is not None:
            head = planned[HEADLINE]
            pairs = analysis.maximum_symmetry_pairs
            examples = pair_examples(
                model, data, records[HEADLINE], head.attack, head.loss, pairs, device=device
            )
            write_examples(folder, examples)
            folder.write("result.json", dump(audited).encode())
    return audited


def _checks(
    records: Mapping[str, Record],
    blind: Mapping[str, float],
    eps: float,
    norm: str,
    expect_clean: float | None,
) -> list[Check]:
    head = records[HEADLINE]
    checks = [
        checks_of.gradients_are_finite(records),
        *(
            checks_of.gradients_are_not_zero(
                key, records[key], scale_free=free, blind=blind.get(key)
            )
            for key, free in GRADIENTS.items()
        ),
        checks_of.outputs_are_repeatable(records),
        checks_of.attacks_kept_their_word(records, eps, norm),
        checks_of.steps_help(records["fgsm"], head),
        checks_of.better_than_chance(head),
    ]
    if expect_clean is not None:
        checks.append(checks_of.clean_accuracy_is_expected(head, expect_clean))
    return checks


def worst_case(records: Mapping[str, Record]) -> Tensor:
    """Samples right before the attacks and under every one of them."""
    return torch.stack([record.robust for record in records.values()]).all(dim=0)


def _result(
    records: Mapping[str, Record],
    planned: Mapping[str, Planned],
    checks: list[Check],
    analysis: Analysis,
    settings: Mapping[str, Any],
) -> Audit:
    head, robust = records[HEADLINE], worst_case(records)
    final = {key: record for key, record in records.items() if planned[key].until is None}
    count, total = int(robust.sum()), len(robust)
    return Audit(
        clean_accuracy=head.clean_accuracy,
        robust_accuracy=count / total,
        interval=wilson(count, total),
        samples=total,
        attacks={key: record.robust_accuracy for key, record in records.items()},
        per_class=_per_class(head, robust),
        attack_matrix=analysis.attack_matrix,
        symmetry={
            key: RatioAndP(ratio=entry.value, null=entry.null or 0.0, p=entry.p)
            for key, entry in analysis.symmetry.items()
        },
        maximum_symmetry_pairs=analysis.maximum_symmetry_pairs,
        tolerance=analysis.tolerance,
        verdict=checks_of.verdict(checks),
        checks=checks,
        mode="exact",
        passes=Passes(
            forward=sum(record.passes.forward for record in records.values()),
            backward=sum(record.passes.backward for record in records.values()),
        ),
        seconds=sum(record.seconds for record in records.values()),
        attack_matrices={
            key: _matrix(record) for key, record in final.items() if key != HEADLINE
        },
        attack_options={key: str(entry) for key, entry in planned.items()},
        analysis=analysis,
        classes=head.class_names,
        eps=settings["eps"],
        norm=settings["norm"],
        seed=settings["seed"],
        model=settings["model"],
        data=settings["data"],
        undecided=sorted({i for record in records.values() for i in record.undecided}),
        versions=versions(),
    )


def _per_class(record: Record, robust: Tensor) -> list[ClassAccuracy]:
    rows = []
    for index, name in enumerate(record.class_names):
        own = record.labels == index
        samples = int(own.sum())
        clean, kept = int(record.correct[own].sum()), int(robust[own].sum())
        rows.append(
            ClassAccuracy(
                name=name,
                samples=samples,
                clean=clean / samples if samples else None,
                robust=kept / samples if samples else None,
                clean_interval=wilson(clean, samples) if samples else None,
                robust_interval=wilson(kept, samples) if samples else None,
            )
        )
    return rows


def _matrix(record: Record) -> Matrix:
    return [
        [None if value != value else value for value in row]
        for row in record.attack_matrix().tolist()
    ]


def _named(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


@contextmanager
def _folder(
    out: str | Path | None, settings: dict, resume: bool, overwrite: bool
) -> Iterator[RunFolder | None]:
    if out is None:
        yield None
        return
    with RunFolder.create(out, "audit", settings, resume=resume, overwrite=overwrite) as folder:
        yield folder
