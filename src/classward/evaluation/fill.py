"""Fills the shards of a record, batch by batch; several processes may fill the same.

Each process takes the next shard that is neither committed nor claimed. When none is left it
waits for the others, takes over what one that died had claimed, and gives up on one that hangs.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from classward.core.memory import Room
from classward.core.types import Images
from classward.evaluation.call import Call, reached
from classward.evaluation.pictures import in_8_bit
from classward.evaluation.request import Request
from classward.evaluation.watched import Watched
from classward.records.locks import Patience
from classward.records.result import GradientCounts, Passes
from classward.records.run_folder import RunFolder
from classward.records.shards import (
    committed_samples,
    read_shard,
    shard_size,
    shards_of,
    summed,
    write_notes,
    write_shard,
)

Progress = Callable[[int, int], None]  # samples done, samples in all
COUNTS, NOTES = ("passes", "gradients"), ("seconds", "halved_to")


def filled(
    asked: Request, folder: RunFolder | None, tell: Progress, patience: float
) -> list[dict[str, Any]]:
    """Columns and counts of all shards, each made here or by who else works on the run.

    Args:
        asked: What is asked.
        folder: Where shards are committed; `None` keeps them in memory.
        tell: Told after each batch how many samples are done, by anyone, of how many.
        patience: Seconds after which it gives up on others that do not go on.

    Raises:
        SystemFaultError: If they do not.
    """
    samples, room = len(asked.judge.data), Room(asked.batch_size)
    ranges = shards_of(samples, shard_size(samples, asked.batch_size))
    tell(0 if folder is None else committed_samples(folder, ranges), samples)
    if folder is None:
        return [_made(asked, part, room, partial(_from, tell, part.start)) for part in ranges]
    shards: dict[int, dict[str, Any]] = {}
    waiting = Patience(folder.path, patience)
    while missing := [index for index, _ in enumerate(ranges) if index not in shards]:
        found = {index: _shard(asked, ranges, index, room, folder, tell) for index in missing}
        there = {index: shard for index, shard in found.items() if shard is not None}
        shards |= there
        tell(committed_samples(folder, ranges), samples)
        waiting.renew() if there else waiting.wait()
    return [shards[index] for index in sorted(shards)]


def _shard(
    asked: Request,
    ranges: list[range],
    index: int,
    room: Room,
    folder: RunFolder,
    tell: Progress,
) -> dict[str, Any] | None:
    """Columns and counts of one shard, made if it was not; None if another makes it."""
    if (committed := read_shard(folder, index)) is not None:
        return committed
    with folder.claimed(part := f"{index:05d}") as mine:
        if not mine:
            return None
        if (committed := read_shard(folder, index)) is not None:
            return committed

        def live(done: int, total: int) -> None:
            folder.beat(part)
            tell(committed_samples(folder, ranges) + done, total)

        columns = _made(asked, ranges[index], room, live)
        counts = {name: columns.pop(name) for name in COUNTS}
        write_notes(folder, index, {name: columns.pop(name) for name in NOTES})
        write_shard(folder, index, columns, counts)
    return read_shard(folder, index)


def _from(tell: Progress, before: int, done: int, total: int) -> None:
    tell(before + done, total)


def _made(asked: Request, positions: range, room: Room, tell: Progress) -> dict[str, Any]:
    """Columns, counts and notes of one shard, of which `tell` is told how much is done."""
    samples = len(asked.judge.data)
    started, done = time.perf_counter(), 0
    passes: list[Passes] = []
    gradients: list[GradientCounts] = []
    columns: dict[str, Tensor] = {}
    while done < len(positions):
        first = positions.start + done
        batch = room.fit(partial(_batch, asked, first, positions.stop))
        passes.append(batch.pop("passes"))
        gradients.append(batch.pop("gradients"))
        upto = done + len(batch["ids"])
        for name, rows in batch.items():
            # At once for the shard: small tensors kept between large ones split the heap.
            if name not in columns:
                columns[name] = rows.new_empty((len(positions), *rows.shape[1:]))
            columns[name][done:upto] = rows
        done = upto
        tell(done, samples)
    return columns | {
        "passes": summed(Passes, passes),
        "gradients": summed(GradientCounts, gradients),
        "seconds": round(time.perf_counter() - started, 3),
        "halved_to": room.halved_to,
    }


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
