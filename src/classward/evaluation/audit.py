"""The main job: attack a classifier, analyse which class falls to which, judge the number."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from classward.analysis.analyze import analyze
from classward.core.balls import ball as make_ball
from classward.core.errors import InputError
from classward.core.types import Precision
from classward.data.split import Split
from classward.evaluation.audited import audited, worst_case
from classward.evaluation.budget_curve import budget_curve
from classward.evaluation.checking import Asked, checks_of_audit
from classward.evaluation.concluded import concluded_by_one
from classward.evaluation.judge import Judge, Model, model_digest
from classward.evaluation.plan import HEADLINE, Budget, has_curve, plan
from classward.evaluation.random_model import is_random, steady
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.evaluation.watched import counted
from classward.models.class_weights import class_weights
from classward.records.audit_result import Audit
from classward.records.curve_result import Curve
from classward.records.manifest import check_resumable
from classward.records.record import Record
from classward.records.result import Passes
from classward.records.run_folder import RunFolder, check_free
from classward.records.shards import summed

Progress = Callable[[str, int, int], None]  # attack, samples done, samples in all


def audit(
    model: Model,
    data: Split,
    *,
    eps: float = 8 / 255,
    norm: Literal["linf", "l2"] = "linf",
    budget: Budget = "quick",
    time_limit: float | None = None,
    expect_clean: float | None = None,
    surrogates: Sequence[Model] = (),
    tolerance: float = 0.2,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    model_name: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    join: bool = False,
    patience: float = 600.0,
    progress: Progress | None = None,
) -> Audit:
    """Attack `model` on `data` and say how robust it is, per class, and whether to believe it.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        eps: Radius of the ball, in pixel units.
        norm: Norm of the ball.
        budget: "quick": FGSM and PGD; "standard": and those of AutoAttack on what stands;
            "full": and black-box attacks of 2,000 queries, PGD with restarts, and the curve.
        time_limit: Seconds after which no further attack begins, nor the curve; the result then
            says so. The checks run all the same: they are what makes the number believed.
        expect_clean: Clean accuracy the model is known to have, in [0, 1].
        surrogates: Other networks for the same classes; adversarial images of theirs must not
            turn what this model's own gradients leave.
        tolerance: Largest difference of a symmetric pair.
        seed: Seed of the run.
        batch_size: Images at once.
        device: A torch device.
        precision: "fast" leads the attacks by bfloat16 where the hardware gains by it; see
            `run_attack`. The checks are in float32 with either.
        model_name: How to name the model in the report.
        out: Folder for records, `result.json` and examples; nothing is written by default.
        resume: Go on with the run in `out`.
        overwrite: Replace the run in `out`.
        join: Share the work on `out` with any processes that ask the same and join too: they
            share the attacks as `run_attack` does, and one of them checks and concludes.
        patience: Seconds after which a process that joined gives up on others that do not go
            on.
        progress: Called after each batch.

    Raises:
        InputError: If model, data and options do not fit each other.
        InvariantError: If an attack breaks a promise.
        SystemFaultError: If memory or disk do not suffice, or another process hangs.
    """
    if join and (out is None or time_limit is not None):
        raise InputError("join needs out, and no time_limit: processes would stop apart")
    if expect_clean is not None and not 0 <= expect_clean <= 1:
        raise InputError(
            f"expect_clean {expect_clean} is no share: expected 0 to 1, like 0.917"
        )
    started = time.monotonic()
    data, planned = data.select(data.ids.argsort()), plan(eps, norm, budget, model=model)
    settings = audit_settings(
        data,
        model_name or type(model).__name__,
        eps=eps,
        norm=norm,
        budget=budget,
        seed=seed,
        batch_size=batch_size,
        device=device,
        precision=precision,
    )
    settings["attacks"] = {key: str(entry) for key, entry in planned.items()}
    settings["weights"] = model_digest(model)
    if out is not None:  # before the model is asked anything
        check_free(Path(out), resume, overwrite, join)
        if resume or join:
            check_resumable(out, "audit", settings)
    spent: list[Passes] = []
    with counted(model, device, spent) as watched:
        judge = Judge(watched, data, device)  # refuses what does not fit before a file is made
        random = is_random(watched, data, batch_size=batch_size, device=device)
        weights, reason = class_weights(model, judge.probe)
    asked = Asked(
        given=model,
        model=steady(model, seed) if random else model,
        random=random,
        data=data,
        ball=make_ball(norm, eps),
        planned=planned,
        expect_clean=expect_clean,
        surrogates=surrogates,
        seed=seed,
        precision=precision,
        run={"batch_size": batch_size, "device": device},
        spent=spent,
    )

    def late() -> bool:
        return time_limit is not None and time.monotonic() - started > time_limit

    how = {"resume": resume, "join": join}
    opened = (
        RunFolder.create(out, "audit", settings, overwrite=overwrite, **how) if out else None
    )
    with opened or nullcontext() as folder:
        how |= {"patience": patience}
        records = _attacked(asked, late, folder=folder, progress=progress, **how)

        def concluded() -> Audit:
            wanted = has_curve(eps, budget)
            curve = _curve(asked, progress) if wanted and not late() else None
            left_out = _missing(asked, records) + ["curve"] * (wanted and curve is None)
            checks = checks_of_audit(asked, records, left_out)
            analysis = analyze(
                records[HEADLINE],
                weights=weights,
                weights_reason=reason,
                tolerance=tolerance,
                seed=seed,
            )
            return audited(
                records,
                asked.planned,
                analysis,
                settings,
                checks=checks,
                check_passes=summed(Passes, spent),
                curve=curve,
                left_out=left_out,
            )

        if folder is None:
            return concluded()
        return concluded_by_one(folder, asked, records[HEADLINE], concluded, patience)


def audit_settings(
    data: Split,
    model_name: str,
    *,
    eps: float,
    norm: str,
    budget: Budget,
    seed: int,
    batch_size: int,
    device: str,
    precision: Precision,
) -> dict[str, Any]:
    """What is known of an audit before its model is; a resumed one must agree with it."""
    return {
        "model": model_name,
        "data": data.name,
        "data_digest": data.select(data.ids.argsort()).digest(),
        "samples": len(data),
        "eps": make_ball(norm, eps).eps,
        "norm": norm,
        "budget": budget,
        "mode": precision,
        "seed": seed,
        "batch_size": batch_size,
        "device": device,
        "versions": versions(),
    }


def _missing(asked: Asked, records: Mapping[str, Record]) -> list[str]:
    """Attacks that did not run although something stood."""
    stands = bool(worst_case(records).any())
    return [name for name in asked.planned if stands and name not in records]


def _attacked(
    asked: Asked,
    late: Callable[[], bool],
    *,
    folder: RunFolder | None,
    progress: Progress | None,
    **how: Any,
) -> dict[str, Record]:
    """The record of each attack; those for survivors alone see what still stands."""
    records: dict[str, Record] = {}
    for key, entry in asked.planned.items():
        if entry.survivors and late():
            break
        where = worst_case(records).nonzero().flatten() if entry.survivors else None
        if where is not None and len(where) == 0:
            break
        records[key] = run_attack(
            asked.model,
            entry.attack,
            asked.data if where is None else asked.data.select(where),
            loss=entry.loss,
            until=entry.until,
            restarts=entry.restarts,
            seed=asked.seed,
            precision=asked.precision,
            out=None if folder is None else folder.path / key,
            progress=None if progress is None else _named(progress, key),
            **asked.run,
            **how,
        )
    return records


def _curve(asked: Asked, progress: Progress | None) -> Curve:
    return budget_curve(
        asked.model,
        asked.data,
        eps=asked.ball.eps,
        norm=asked.ball.norm,
        seed=asked.seed,
        precision=asked.precision,
        progress=None if progress is None else _named(progress, "curve"),
        **asked.run,
    )


def _named(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)
