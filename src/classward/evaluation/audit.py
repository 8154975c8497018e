"""The main job: attack a classifier, analyse which class falls to which, judge the number."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from classward.analysis.analyze import analyze
from classward.core.balls import ball as make_ball
from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.audited import audited, worst_case
from classward.evaluation.budget_curve import budget_curve
from classward.evaluation.checking import Asked, checks_of_audit
from classward.evaluation.examples import pair_examples
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.plan import HEADLINE, Budget, plan
from classward.evaluation.random_model import is_random, steady
from classward.evaluation.run_attack import run_attack
from classward.models.class_weights import class_weights
from classward.records.audit_result import Audit
from classward.records.curve_result import Curve
from classward.records.examples import write_examples
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import dump

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
        budget: "quick": FGSM and PGD; "standard": and those of AutoAttack on what stands;
            "full": and black-box attacks of 2,000 queries, PGD with restarts, and the curve.
        time_limit: Seconds after which no further attack begins; the result then says so.
        expect_clean: Clean accuracy the model is known to have, in [0, 1].
        surrogates: Other networks for the same classes; adversarial images of theirs must not
            turn what this model's own gradients leave.
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
    started = time.monotonic()
    data = data.select(data.ids.argsort())
    with judging(model, device):
        judge = Judge(model, data, device)  # refuses what does not fit before a file is made
        weights, reason = class_weights(model, judge.probe)
    random = is_random(model, data, batch_size=batch_size, device=device)
    asked = Asked(
        given=model,
        model=steady(model, seed) if random else model,
        random=random,
        data=data,
        ball=make_ball(norm, eps),
        planned=plan(eps, norm, budget),
        expect_clean=expect_clean,
        surrogates=surrogates,
        seed=seed,
        run={"batch_size": batch_size, "device": device},
    )
    settings = _settings(asked, model_name or type(model).__name__, budget)
    with _folder(out, settings, resume, overwrite) as folder:
        records = _attacked(asked, time_limit, folder=folder, progress=progress, resume=resume)
        checks = checks_of_audit(asked, records)
        analysis = analyze(
            records[HEADLINE],
            weights=weights,
            weights_reason=reason,
            tolerance=tolerance,
            seed=seed,
        )
        late = time_limit is not None and time.monotonic() - started > time_limit
        wanted = budget == "full" and eps > 0 and not late
        curve = _curve(asked, progress) if wanted else None
        result = audited(records, asked.planned, checks, analysis, settings, curve)
        if folder is not None:
            head, pairs = asked.planned[HEADLINE], analysis.maximum_symmetry_pairs
            examples = pair_examples(
                asked.model,
                data,
                records[HEADLINE],
                head.attack,
                head.loss,
                pairs,
                device=device,
            )
            write_examples(folder, examples)
            folder.write("result.json", dump(result).encode())
    return result


def _settings(asked: Asked, model_name: str, budget: Budget) -> dict[str, Any]:
    return {
        "model": model_name,
        "data": asked.data.name,
        "data_digest": asked.data.digest(),
        "samples": len(asked.data),
        "eps": asked.ball.eps,
        "norm": asked.ball.norm,
        "budget": budget,
        "seed": asked.seed,
        "attacks": {key: str(entry) for key, entry in asked.planned.items()},
    }


def _attacked(
    asked: Asked,
    time_limit: float | None,
    *,
    folder: RunFolder | None,
    progress: Progress | None,
    resume: bool,
) -> dict[str, Record]:
    """The record of each attack; those for survivors alone see what still stands."""
    started, records = time.monotonic(), {}
    for key, entry in asked.planned.items():
        late = time_limit is not None and time.monotonic() - started > time_limit
        if late and entry.survivors:
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
            out=None if folder is None else folder.path / key,
            resume=resume,
            progress=None if progress is None else _named(progress, key),
            **asked.run,
        )
    return records


def _curve(asked: Asked, progress: Progress | None) -> Curve:
    return budget_curve(
        asked.model,
        asked.data,
        eps=asked.ball.eps,
        norm=asked.ball.norm,
        seed=asked.seed,
        progress=None if progress is None else _named(progress, "curve"),
        **asked.run,
    )


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
