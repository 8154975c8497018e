"""Share of class pairs that are symmetric, and whether rows agree (Table 1, Fig. 3).

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 4, Table 1.
"""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from classward.analysis.analyze import analyze
from classward.analysis.attack_matrix import attack_matrix
from classward.analysis.significance import average_ranks
from classward.analysis.symmetry import mutual_pairs_test, ratio_intervals
from classward.core.types import Pair
from classward.experiments.measurement import (
    Measurement,
    drawn,
    printed_in,
    rows_of,
    share_cell,
    statistic_cell,
)
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.models.class_weights import class_weights
from classward.records.record import Record
from classward.records.reproduction_result import Cell
from classward.records.result import Statistic

SUCCESS, CORRELATION, PAIRS = "attack success rate", "M_ij with M_ji", "pairs"
MUTUAL, TOP = "mutual pairs", "errors to the top target"
GAP, EQUAL = "class gap", "pairs exactly equal"
LIKE, SHARED, HALVES = "order as in first row", "pairs of first row kept", "order in other half"
MOST_DRAWN = 20  # classes; beyond, a matrix would be most of the result
TOLERANCES = ("0.05", "0.1", "0.2")


def symmetry_ratio(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a network under an attack on a part of the data."""
    cells: list[Cell] = []
    matrices, first = [], None
    for row, asked in rows_of(table).items():
        samples, split = (
            asked.get("samples", table.asked["samples"]),
            asked.get("split", "test"),
        )
        record = shelf.record(asked["network"], asked["attack"], samples=samples, split=split)
        network = shelf.network(**asked["network"])
        weights, _ = class_weights(
            network, shelf.images(asked["network"]["group"], 1).batch(torch.arange(1))
        )
        analysis = analyze(record, weights=weights, seed=shelf.seed)
        cells.append(share_cell(table, row, SUCCESS, analysis.success_rate))
        ends = ratio_intervals(record.confusion(), [float(limit) for limit in TOLERANCES])
        cells += [
            statistic_cell(
                table,
                row,
                limit,
                analysis.symmetry[limit],
                samples=len(record),
                low=low,
                high=high,
            )
            for limit, (low, high) in zip(TOLERANCES, ends, strict=True)
        ]
        cells.append(
            statistic_cell(table, row, CORRELATION, analysis.correlation, unit="number")
        )
        matrix = record.attack_matrix()
        mutual = mutual_pairs_test(matrix.nan_to_num(0), seed=shelf.seed)
        cells.append(statistic_cell(table, row, MUTUAL, mutual, unit="number"))
        cells.append(statistic_cell(table, row, TOP, unevenness(record.confusion())))
        cells.append(statistic_cell(table, row, GAP, class_differences(record)))
        cells.append(_equal(row, matrix))
        pairs = analysis.maximum_symmetry_pairs
        named = ", ".join(f"{analysis.classes[i]} and {analysis.classes[j]}" for i, j in pairs)
        cells.append(
            Cell(
                row=row,
                column=PAIRS,
                unit="text",
                printed=printed_in(table, row, PAIRS),
                value=named or "none",
            )
        )
        cells.append(_number(row, HALVES, _halves(record)))
        if first is None:
            first = matrix, pairs
        else:
            cells.append(_number(row, LIKE, likeness(first[0], matrix)))
            cells.append(_number(row, SHARED, kept_pairs(first[1], pairs)))
        if len(analysis.classes) <= MOST_DRAWN:
            matrices += drawn(row, analysis)
    return Measurement(
        stated="Intervals of the ratios: images drawn again within each class, 1,000 times, "
        "spread put about the ratio. Reference and p: the rows of the attack matrix shuffled "
        "off the diagonal, 2,000 draws. Errors to the top target: beside what each class "
        "would have if all had alike; class gap: beside no difference; p by chi-square. "
        "Order: Spearman correlation of the entries off the diagonal with those of the first "
        "row, or between two halves of a row's own samples, which is what noise leaves of it. "
        "Pairs kept: Jaccard index.",
        cells=cells,
        matrices=matrices,
    )


def unevenness(counts: Int64[Tensor, "k k"]) -> Statistic:
    """Share of the errors that go to the top target of their class, and whether rows are even.

    The null is that all other classes get alike; p is of Pearson's chi-square over all rows
    with errors.
    """
    from scipy.stats import chi2

    classes = len(counts)
    errors = counts.double()[~torch.eye(classes, dtype=torch.bool)].view(classes, classes - 1)
    errors = errors[errors.sum(dim=1) > 0]
    even = errors.mean(dim=1, keepdim=True)
    excess = ((errors - even) ** 2 / even).sum().item()
    share = errors.amax(dim=1).sum() / errors.sum() if len(errors) else torch.tensor(0.0)
    return Statistic(
        value=share.item(),
        null=1 / (classes - 1),
        p=float(chi2.sf(excess, len(errors) * (classes - 2))) if len(errors) else 1.0,
        null_draws=0,
        null_name="all other classes alike",
    )


def class_differences(record: Record) -> Statistic | None:
    """Best minus worst robust accuracy of a class, with p of a chi-square that all are alike.

    Undefined where every image falls, or none.
    """
    from scipy.stats import chi2_contingency

    labels, right = record.labels, record.robust
    stands = torch.bincount(labels[right], minlength=record.classes)
    counts = torch.stack([stands, torch.bincount(labels, minlength=record.classes) - stands])
    counts = counts[:, counts.sum(dim=0) > 0]
    if (counts.sum(dim=1) == 0).any():
        return None
    shares = counts[0] / counts.sum(dim=0)
    found: Any = chi2_contingency(counts.numpy(), correction=False)
    return Statistic(
        value=(shares.max() - shares.min()).item(),
        null=0.0,
        p=float(found.pvalue),
        null_draws=0,
        null_name="all classes alike",
    )


def _equal(row: str, matrix: Tensor) -> Cell:
    """Share of the pairs whose two entries are equal and not 0."""
    upper = torch.ones(matrix.shape, dtype=torch.bool).triu(1)
    equal = (matrix == matrix.T) & (matrix > 0)
    return Cell(row=row, column=EQUAL, value=equal[upper].double().mean().item())


def likeness(one: Tensor, other: Tensor) -> float | None:
    """Spearman correlation of two matrices off the diagonal; undefined if one is flat."""
    off = ~torch.eye(len(one), dtype=torch.bool)
    ranks = [average_ranks(matrix.nan_to_num(0)[off]) for matrix in (one, other)]
    if any(values.min() == values.max() for values in ranks):
        return None
    return torch.stack(ranks).corrcoef()[0, 1].item()


def kept_pairs(one: list[Pair], other: list[Pair]) -> float | None:
    """Jaccard index of two sets of pairs; undefined where both are empty.

    >>> kept_pairs([(0, 1), (2, 3)], [(0, 1)])
    0.5
    """
    union = {*one} | {*other}
    return len({*one} & {*other}) / len(union) if union else None


def _halves(record: Record) -> float | None:
    """`likeness` of the two halves of a record, every second sample of each class."""
    even = torch.zeros(len(record), dtype=torch.bool)
    for label in record.labels.unique():
        even[(record.labels == label).nonzero().flatten()[::2]] = True
    parts = [
        attack_matrix(record.labels[half], record.predictions[half], record.classes)
        for half in (even, ~even)
    ]
    return likeness(*parts)


def _number(row: str, column: str, value: float | None) -> Cell:
    return Cell(row=row, column=column, unit="number", value=value)
