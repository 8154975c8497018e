"""Networks under attacks: accuracy, and what one of them leads the others by.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Tables 2 to 5 and Fig. 7.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from classward.core.wilson import wilson
from classward.experiments.contest_table import lead, over_seeds
from classward.experiments.measurement import Measurement, printed_in, rows_of
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.reproduction_result import Cell


def accuracy(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a network, each column an attack, a suite, or nothing.

    Rows that begin alike up to the last comma are compared with the one that ends in `leader`.
    """
    right: dict[tuple[str, str], Bool[Tensor, "s n"]] = {}
    for row, asked in rows_of(table).items():
        for column, attack in table.asked["columns"].items():
            right[row, column] = _right(table, shelf, asked["network"], attack)
    cells = [_cell(table, row, column, found) for (row, column), found in right.items()]
    for (row, column), found in right.items():
        best = _leader(table, row)
        if best != row and (best, column) in right:
            cells.append(_lead(f"{best} minus {row}", column, right[best, column], found))
    seeds = len(table.asked["seeds"])
    how = "Wilson, over samples"
    how += "; or Student's over seeds, where that is wider" if seeds > 1 else "; one seed"
    return Measurement(
        stated=f"Intervals: {how}. Differences are on the same samples, with the interval and "
        "p of a paired t-test over samples, not corrected for their number.",
        cells=cells,
    )


def _right(
    table: PaperTable, shelf: Shelf, network: Mapping[str, Any], attack: Mapping[str, Any]
) -> Bool[Tensor, "s n"]:
    samples = attack.get("samples", table.asked["samples"])
    how = {key: value for key, value in attack.items() if key != "samples"}
    return torch.stack(
        [
            shelf.right({**network, "seed": seed}, how, samples=samples)
            for seed in table.asked["seeds"]
        ]
    )


def _cell(table: PaperTable, row: str, column: str, found: Bool[Tensor, "s n"]) -> Cell:
    samples = found.shape[1]
    trained = over_seeds([*found])
    low, high = wilson(round(trained.mean * samples), samples)
    if trained.low is not None and trained.high is not None:  # of more than one seed
        low, high = min(low, trained.low), max(high, trained.high)
    return Cell(
        row=row,
        column=column,
        printed=printed_in(table, row, column),
        value=trained.mean,
        low=low,
        high=high,
        samples=samples,
    )


def _leader(table: PaperTable, row: str) -> str:
    """The row of the same beginning that the others are compared with."""
    beginning, comma, _ = row.rpartition(", ")
    return f"{beginning}{comma}{table.asked['leader']}"


def _lead(
    row: str, column: str, ours: Bool[Tensor, "s n"], theirs: Bool[Tensor, "s n"]
) -> Cell:
    found = lead(ours, theirs)
    return Cell(
        row=row,
        column=column,
        value=found.difference,
        low=found.low,
        high=found.high,
        samples=ours.shape[1],
        p=found.p,
    )
