"""Attacks propose, this disposes: runs one attack and writes the record.

Success is decided here alone, by a fresh float32 forward pass of the classifier itself in eval
mode; every batch is checked (`invariants`), whoever wrote the attack. Samples are taken in the
order of their ids, in shards of 4,096 and batches of `batch_size`, so a record does not depend
on the order of the data, on interruptions, or on who ran which shard. Where memory runs out,
the batches are halved; that changes no decision.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from classward.core.errors import InvariantError
from classward.core.types import Attack, Precision, SampleLoss
from classward.data.split import Split
from classward.evaluation.fill import Progress, filled
from classward.evaluation.invariants import name_of
from classward.evaluation.judge import Judge, Model, judging, model_digest
from classward.evaluation.pictures import write_pictures
from classward.evaluation.replay import replayable
from classward.evaluation.request import GIVEN, Request, check_request, settings_of
from classward.models.fast_twin import make_fast_twin
from classward.models.twin import make_twin
from classward.records.record import Record, assemble
from classward.records.run_folder import RunFolder


def run_attack(
    model: Model,
    attack: Attack,
    data: Split,
    *,
    gradient_model: Model | None = None,
    loss: SampleLoss | None = None,
    targets: Tensor | None = None,
    until: Literal["first_success"] | None = None,
    ingredients: Mapping[str, Any] | None = None,
    restarts: int = 1,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    join: bool = False,
    patience: float = 600.0,
    save_images: bool = False,
    progress: Progress | None = None,
) -> Record:
    """Attack every sample of `data` and record what the classifier says before and after.

    Args:
        model: Images in [0, 1] to logits; judged in eval mode, left as it was.
        attack: The attack.
        data: The samples.
        gradient_model: What the attack differentiates; by default a twin of the model, which
            `precision` chooses, or the model itself where it has none.
        loss: What the attack climbs; its own by default.
        targets: The class each sample is to reach, in the order of `data`.
        until: "first_success" stops a sample at its first confirmed success, for robust
            accuracy alone; by default the final iterate is recorded.
        ingredients: What `attack.needs` names.
        restarts: Runs of a random attack; each goes on with the survivors.
        seed: Seed of the run.
        batch_size: Images at once; halved where memory runs out, and the settings of the record
            then say under "halved_to" how far.
        device: A torch device.
        precision: "exact" leads the attack by float32, with batch norm folded where that is
            exact; "fast" by bfloat16 where layers and hardware gain by it. What is true of an
            image, the model itself says in float32, with either.
        out: Folder for the record; in memory by default. Logits are then read from there.
        resume: Go on with the record in `out`.
        overwrite: Replace the run in `out`.
        join: Share the work on `out` with any processes that ask the same and join too: each
            takes shards that no other has, and all return the whole record.
        patience: Seconds after which a process that joined gives up on others that do not go
            on; more than a batch takes.
        save_images: Keep the adversarial images, and judge them once more in 8 bits; in `out`
            also as `images.npz` (float32) and as PNG files.
        progress: Called after each batch.

    Raises:
        InputError: If model, data and options do not fit each other.
        InvariantError: If the attack breaks a promise; a replay bundle is then written to
            `out`, or else to a temporary folder.
        SystemFaultError: If memory runs out with one image, the disk is full, or another
            process hangs.
    """
    check_request(attack, precision, ingredients or {}, restarts, batch_size, targets, data)
    order = data.ids.argsort()
    data, targets = data.select(order), None if targets is None else targets[order]
    with ExitStack() as held:
        for part in (model, *_modules(gradient_model, ingredients or {})):
            held.enter_context(judging(part, device))
        judge = Judge(model, data, device)
        asked_of, reason, mode = _asked_of(judge, attack, gradient_model, precision, until)
        request = Request(
            judge=judge,
            attack=attack,
            gradient_model=asked_of,
            reason=reason,
            mode=mode,
            loss=loss,
            targets=targets,
            until=until,
            ingredients=dict(ingredients or {}),
            restarts=restarts,
            seed=seed,
            batch_size=batch_size,
            save_images=save_images,
        )
        settings = settings_of(request)
        folder = None
        if out is not None:
            opened = RunFolder.create(
                out, "attack", settings, resume=resume, overwrite=overwrite, join=join
            )
            folder = held.enter_context(opened)
        held.enter_context(replayable(folder, settings))
        shards = filled(request, folder, progress or (lambda done, total: None), patience)
        if model_digest(model) != settings["model"]:
            raise InvariantError(f"{name_of(attack)} changed the model's weights")
        record = assemble(shards, settings)
        if folder is not None and save_images:
            with folder.turn():
                write_pictures(folder, record)
        return record


def _modules(gradient_model: Any, ingredients: Mapping[str, Any]) -> list[nn.Module]:
    """What needs the device and eval mode besides the model, alone or in lists."""
    lists = (v if isinstance(v, list | tuple) else [v] for v in ingredients.values())
    parts = [gradient_model, *(part for parts in lists for part in parts)]
    return [part for part in parts if isinstance(part, nn.Module)]


def _asked_of(
    judge: Judge,
    attack: Attack,
    given: Model | None,
    precision: Precision,
    until: Literal["first_success"] | None,
) -> tuple[Model, str, Precision]:
    """What the attack asks; in words, why that; and the precision of it.

    What decides by itself when it is done needs float32, unless each success is confirmed.
    """
    if given is not None and attack.access == "gradient":
        return given, GIVEN, "exact"
    how = "" if attack.access == "gradient" else "asked through a counting oracle; "
    alone = until is None and (
        attack.access != "gradient" or getattr(attack, "at_boundary", False)
    )
    if precision == "exact" or alone:
        twin, reason = make_twin(judge.model, judge.probe)
        return twin, f"{how}{reason}", "exact"
    twin, reason = make_fast_twin(judge.model, judge.probe)
    return twin, f"{how}{reason}", "fast"
