"""Attacks propose, this disposes: runs one attack and writes the record.

Success is decided here alone, by a fresh float32 forward pass of the classifier itself in eval
mode; every batch is checked (`invariants`), whoever wrote the attack. Samples are taken in the
order of their ids, in shards of 4,096 and batches of `batch_size`, so a record does not depend
on the order of the data, on interruptions, or on who ran which shard. Where memory runs out,
the batches are halved; that changes no decision.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from classward.core.errors import InvariantError
from classward.core.memory import Room
from classward.core.types import Attack, Images, SampleLoss
from classward.data.split import Split
from classward.evaluation.call import Call, reached
from classward.evaluation.invariants import name_of
from classward.evaluation.judge import Judge, Model, judging, model_digest
from classward.evaluation.pictures import in_8_bit, write_pictures
from classward.evaluation.replay import replayable
from classward.evaluation.request import GIVEN, Precision, Request, check_request, settings_of
from classward.evaluation.watched import Watched
from classward.models.fast_twin import make_fast_twin
from classward.models.twin import make_twin
from classward.records.record import Record, assemble
from classward.records.result import GradientCounts, Passes
from classward.records.run_folder import RunFolder
from classward.records.shards import (
    SHARD,
    read_shard,
    shard_count,
    summed,
    write_notes,
    write_shard,
)

Progress = Callable[[int, int], None]  # samples done, samples in all


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
        out: Folder for the record; in memory by default.
        resume: Go on with the record in `out`.
        overwrite: Replace the run in `out`.
        save_images: Keep the adversarial images, and judge them once more in 8 bits; in `out`
            also as `images.npz` (float32) and as PNG files.
        progress: Called after each batch.

    Raises:
        InputError: If model, data and options do not fit each other.
        InvariantError: If the attack breaks a promise; a replay bundle is then written to
            `out`, or else to a temporary folder.
        SystemFaultError: If memory runs out with one image, or the disk is full.
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
                out, "attack", settings, resume=resume, overwrite=overwrite
            )
            folder = held.enter_context(opened)
        held.enter_context(replayable(folder, settings))
        room, count = Room(batch_size), shard_count(len(data))
        shards = [_shard(request, i, room, folder, progress) for i in range(count)]
        if model_digest(model) != settings["model"]:
            raise InvariantError(f"{name_of(attack)} changed the model's weights")
        record = assemble(shards, settings)
        if folder is not None and save_images:
            write_pictures(folder, record)
        return record


def _modules(gradient_model: Any, ingredients: Mapping[str, Any]) -> list[nn.Module]:
    """What needs the device and eval mode besides the model, alone or in lists."""
    lists = (v if isinstance(v, list | tuple) else [v] for v in ingredients.values())
    parts = [gradient_model, *(part for parts in lists for part in parts)]
    return [part for part in parts if isinstance(part, nn.Module)]


def _shard(
    asked: Request,
    index: int,
    room: Room,
    folder: RunFolder | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Columns and counts of one shard: read if it was committed, else made."""
    samples = len(asked.judge.data)
    first, last = index * SHARD, min((index + 1) * SHARD, samples)
    tell = progress or (lambda done, total: None)
    if folder is not None and (committed := read_shard(folder, index)) is not None:
        tell(last, samples)
        return committed
    started, done, batches = time.perf_counter(), first, []
    while done < last:
        batches.append(room.fit(partial(_batch, asked, done, last)))
        done += len(batches[-1]["ids"])
        tell(done, samples)
    counts = {
        "passes": summed(Passes, [batch.pop("passes") for batch in batches]),
        "gradients": summed(GradientCounts, [batch.pop("gradients") for batch in batches]),
    }
    columns = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    notes = {
        "seconds": round(time.perf_counter() - started, 3),
        "halved_to": room.halved_to,
    }
    if folder is not None:
        write_shard(folder, index, columns, counts)
        write_notes(folder, index, notes)
    return columns | counts | notes


def _batch(asked: Request, first: int, last: int, most: int) -> dict[str, Any]:
    """Columns and counts of one batch, attacked as often as asked, each time what still stands.

    Its samples are at the positions from `first` on, at most `most`, and before `last`.
    """
    asked, judge = replace(asked, batch_size=most), asked.judge
    watched = Watched(asked.gradient_model, judge.model if asked.mode == "fast" else None)
    positions, judge.asked = torch.arange(first, min(first + most, last)), 0
    images, labels, ids = judge.batch(positions)
    aims = None if asked.targets is None else asked.targets[positions].to(images.device)
    clean = judge.logits(images, ids)
    best = _Best(images, clean)
    for restart in range(asked.restarts):
        where = best.going.nonzero().flatten()
        if len(where) == 0:
            break
        aimed = None if aims is None else aims[where]
        call = Call(asked, watched, images[where], labels[where], ids[where.cpu()], aimed)
        best.take(where, call, call.attack(restart), first=restart == 0)
    columns = {"ids": ids, "labels": labels} | best.columns(images, clean)
    if asked.save_images:
        rounded, distances = in_8_bit(best.images, images)
        won = reached(judge.logits(rounded, ids), labels, aims) & ~best.failed
        columns |= {"images": best.images, "success_8bit": won} | distances
    passes = Passes(forward=watched.forward + judge.asked, backward=watched.backward)
    counts = {"passes": passes, "gradients": watched.gradients}
    return {name: rows.cpu() for name, rows in columns.items()} | counts


class _Best:
    """What is kept of a batch over the restarts: the first run, then successes alone."""

    def __init__(self, images: Images, clean: Tensor) -> None:
        count = len(images)
        self.images, self.logits = images.clone(), clean.clone()
        self.going = torch.ones(count, dtype=torch.bool, device=images.device)
        self.failed = torch.zeros(count, dtype=torch.bool, device=images.device)
        self.first_success = torch.full((count,), -1, device=images.device)
        self.queries = torch.zeros(count, dtype=torch.int64, device=images.device)

    def take(self, where: Tensor, call: Call, made: Images, *, first: bool) -> None:
        """Judge the images that `call` made of the samples at `where`, and keep what counts."""
        logits = call.asked.judge.logits(made, call.ids)
        won = call.success(logits) & ~call.failed
        kept = torch.ones_like(won) if first else won
        self.images[where[kept]], self.logits[where[kept]] = made[kept], logits[kept]
        self.failed[where[kept]] = call.failed[kept]
        self.first_success[where[won]] = call.first_success[won]
        again = won & (call.first_success > 0)  # of an oracle, counted over all runs
        self.first_success[where[again]] += self.queries[where[again]]
        self.queries[where] += call.queries
        self.going[where[won]] = False

    def columns(self, images: Images, clean: Tensor) -> dict[str, Tensor]:
        """Columns of the record."""
        change = (self.images - images).flatten(1)
        return {
            "clean_predictions": clean.argmax(dim=1),
            "predictions": self.logits.argmax(dim=1),
            "success": ~self.going,
            "failed": self.failed,
            "first_success": self.first_success,
            "clean_logits": clean,
            "adversarial_logits": self.logits,
            "linf": change.abs().amax(dim=1),
            "l2": change.norm(dim=1),
            "queries": self.queries,
        }


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
