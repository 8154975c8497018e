"""Whether maximum symmetry pairs stay the same while a network is trained.

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Sec. "Defense via Symmetry Property".
"""

from itertools import pairwise
from typing import Any

from classward.experiments.measurement import Measurement, printed_in, rows_of
from classward.experiments.measures.symmetry_ratio import kept_pairs
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.reproduction_result import Cell

NEXT, LAST, HALF = "with the epoch before", "with the last epoch", "of the second half, last"


def pair_stability(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a training; pairs are those of its own adversaries, epoch by epoch."""
    cells = []
    for row, asked in rows_of(table).items():
        history = shelf.training(**asked["network"]).history
        epochs = [_pairs(entry) for entry in history if "training" in entry]
        found = {
            NEXT: [kept_pairs(a, b) for a, b in pairwise(epochs)],
            LAST: [kept_pairs(pairs, epochs[-1]) for pairs in epochs[:-1]],
            HALF: [kept_pairs(pairs, epochs[-1]) for pairs in epochs[len(epochs) // 2 : -1]],
        }
        for column, values in found.items():
            known = [value for value in values if value is not None]
            cells.append(
                Cell(
                    row=row,
                    column=column,
                    unit="number",
                    printed=printed_in(table, row, column),
                    value=sum(known) / len(known) if known else None,
                    low=min(known, default=None),
                    high=max(known, default=None),
                    samples=len(known),
                )
            )
    return Measurement(
        stated="Jaccard index of the pairs of two epochs, mean over epochs (their number under "
        "samples); low and high are its least and greatest, not an interval.",
        cells=cells,
    )


def _pairs(entry: dict[str, Any]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in entry["training"]["pairs"]]
