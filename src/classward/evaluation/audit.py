"""The main job: attack a classifier, analyse which class falls to which, judge the number."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from classward.analysis.analyze import analyze
from classward.core.balls import ball as make_ball
from classward.core.errors import InputError
from classward.core.losses import cross_entropy
from classward.data.split import Split
from classward.evaluation import verdict as checks_of
from classward.evaluation.audited import audited, worst_case
from classward.evaluation.blind import blind_share
from classward.evaluation.examples import pair_examples
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.plain_forward import gradients_inside
from classward.evaluation.plan import GRADIENTS, HEADLINE, Budget, Planned, plan
from classward.evaluation.random_model import is_random, randomness, steady
from classward.evaluation.run_attack import run_attack
from classward.evaluation.standing import checks_on, survivors
from classward.models.class_weights import class_weights
from classward.records.audit_result import Audit, Check
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
            "full": and black-box attacks of 2,000 queries and PGD with restarts.
        time_limit: Seconds after which no further attack begins; the result then says so.
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
    planned = plan(eps, norm, budget)
    data = data.select(data.ids.argsort())
    with judging(model, device):
        judge = Judge(model, data, device)  # refuses what does not fit before a file is made
        weights, reason = class_weights(model, judge.probe)
        inside = gradients_inside(model, judge.probe)
    mode = checks_of.mode_is_eval(model, judge.probe)
    given, random = model, is_random(model, data, batch_size=batch_size, device=device)
    if random:
        model = steady(given, seed)
    settings = {
        "model": model_name or type(model).__name__,
        "data": data.name,
        "data_digest": data.digest(),
        "samples": len(data),
        "eps": eps,
        "norm": norm,
        "budget": budget,
        "seed": seed,
        "attacks": {key: str(entry) for key, entry in planned.items()},
    }
    with _folder(out, settings, resume, overwrite) as folder:
        records = _attacked(
            model,
            data,
            planned,
            time_limit,
            folder=folder,
            progress=progress,
            seed=seed,
            batch_size=batch_size,
            device=device,
            resume=resume,
        )
        blind = {
            key: blind_share(
                model,
                data,
                planned[key].loss or cross_entropy,
                make_ball(norm, eps),
                seed=seed,
                batch_size=batch_size,
                device=device,
            )
            for key in GRADIENTS
            if checks_of.many_zero_gradients(records[key])
        }
        standing = survivors(
            model,
            data,
            worst_case(records),
            classes=records[HEADLINE].classes,
            ball=make_ball(norm, eps),
            seed=seed,
            random=random,
            batch_size=batch_size,
            device=device,
        )
        repeats = (
            randomness(given, data, planned[HEADLINE], seed=seed, device=device)
            if random
            else checks_of.outputs_are_repeatable(records)
        )
        checks = [
            *_checks(records, blind, eps, norm, expect_clean),
            repeats,
            mode,
            checks_of.forward_is_plain(inside),
            checks_of.every_attack_ran(planned if worst_case(records).any() else (), records),
            *checks_on(standing),
        ]
        analysis = analyze(
            records[HEADLINE],
            weights=weights,
            weights_reason=reason,
            tolerance=tolerance,
            seed=seed,
        )
        result = audited(records, planned, checks, analysis, settings)
        if folder is not None:
            head = planned[HEADLINE]
            pairs = analysis.maximum_symmetry_pairs
            examples = pair_examples(
                model, data, records[HEADLINE], head.attack, head.loss, pairs, device=device
            )
            write_examples(folder, examples)
            folder.write("result.json", dump(result).encode())
    return result


def _attacked(
    model: Model,
    data: Split,
    planned: Mapping[str, Planned],
    time_limit: float | None,
    *,
    folder: RunFolder | None,
    progress: Progress | None,
    **run: Any,
) -> dict[str, Record]:
    """The record of each attack; those for survivors alone see what still stands."""
    started, records = time.monotonic(), {}
    for key, entry in planned.items():
        late = time_limit is not None and time.monotonic() - started > time_limit
        if late and entry.survivors:
            break
        where = worst_case(records).nonzero().flatten() if entry.survivors else None
        if where is not None and len(where) == 0:
            break
        part = data if where is None else data.select(where)
        records[key] = run_attack(
            model,
            entry.attack,
            part,
            loss=entry.loss,
            until=entry.until,
            restarts=entry.restarts,
            out=None if folder is None else folder.path / key,
            progress=None if progress is None else _named(progress, key),
            **run,
        )
    return records


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
        checks_of.attacks_kept_their_word(records, eps, norm),
        checks_of.steps_help(records["fgsm"], head),
        checks_of.better_than_chance(head),
    ]
    if expect_clean is not None:
        checks.append(checks_of.clean_accuracy_is_expected(head, expect_clean))
    return checks


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
