"""Networks that a table lacks, trained side by side: a process for each, with one thread."""

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

import torch

from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import PAIRED, STANDARD, Shelf


def train_side_by_side(table: PaperTable, shelf: Shelf) -> None:
    """Train what the table lacks, as many networks at once as there are threads.

    Networks whose pairs are those of another network are left to the table itself, as are a
    single one and those of a GPU.
    """
    lacking = [asked for asked in asked_networks(table) if _own_pairs(asked)]
    lacking = [asked for asked in lacking if shelf.lacks(**asked)]
    workers = min(len(lacking), torch.get_num_threads())
    if workers < 2 or shelf.run["device"] != "cpu":
        return
    quiet = replace(shelf, tell=_say_nothing)
    told = f"train {len(lacking)} networks, {workers} at once"
    shelf.tell(told, 0, len(lacking))
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=end_with_parent
    ) as pool:
        begun = [pool.submit(_train, quiet, asked) for asked in lacking]
        try:
            for done, future in enumerate(as_completed(begun), start=1):
                future.result()
                shelf.tell(told, done, len(lacking))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def asked_networks(table: PaperTable) -> list[dict[str, Any]]:
    """Arguments of `Shelf.network` that the table names, each once, those of all its seeds."""
    found: list[dict[str, Any]] = []
    for named in _named(table.asked):
        seeds = table.asked.get("seeds", [named.get("seed", 0)])
        found += [asked for seed in seeds if (asked := {**named, "seed": seed}) not in found]
    return found


def _named(asked: Any) -> list[Mapping[str, Any]]:
    if not isinstance(asked, Mapping):
        return []
    own = [asked["network"]] if isinstance(asked.get("network"), Mapping) else []
    return own + [named for value in asked.values() for named in _named(value)]


def _own_pairs(asked: Mapping[str, Any]) -> bool:
    """Whether the training needs no other network."""
    defense = asked.get("defense", STANDARD)
    pairs = defense.get("pairs", "warm_up")
    return defense["name"] not in PAIRED or pairs in ("warm_up", "none")


def _train(shelf: Shelf, asked: Mapping[str, Any]) -> None:
    shelf.training(**asked)


def end_with_parent() -> None:
    """Ctrl-C is answered by the first process; the others end silently, as when it dies."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Thread(target=_end_after, args=(parent_process(),), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)  # what is written is written whole


def _say_nothing(_what: str, _done: int, _total: int) -> None:
    """Of what a process trains, the first one tells."""
