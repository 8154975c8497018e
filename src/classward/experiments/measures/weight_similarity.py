"""How alike the class weights are, and whether attacks follow it (Figs. 5 and 6).

Paper: Mei et al., "Towards Interpreting and Utilizing Symmetry Property in Adversarial
Examples", AAAI 2023, Eq. 6, Figs. 5 and 6.
"""

import torch

from classward.analysis.analyze import analyze
from classward.core.errors import InputError
from classward.experiments.measurement import Measurement, drawn, rows_of, statistic_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.models.class_weights import class_weights
from classward.records.reproduction_result import Cell

FOLLOWS, MEAN, SIZE, LARGEST = "S with M", "mean cosine", "mean |cosine|", "largest cosine"


def weight_similarity(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a network, attacked as the table says."""
    cells, matrices = [], []
    samples = table.asked["samples"]
    for row, asked in rows_of(table).items():
        group = asked["network"]["group"]
        record = shelf.record(asked["network"], table.asked["attack"], samples=samples)
        network = shelf.network(**asked["network"])
        weights, reason = class_weights(network, shelf.images(group, 1).batch(torch.arange(1)))
        analysis = analyze(record, weights=weights, weights_reason=reason, seed=shelf.seed)
        if analysis.weight_similarity is None:
            raise InputError(f"{table.name}, {row}: {reason}")
        cosines = torch.tensor(analysis.weight_similarity, dtype=torch.float64)
        others = cosines[~torch.eye(len(cosines), dtype=torch.bool)]
        cells.append(statistic_cell(table, row, FOLLOWS, analysis.mantel, unit="number"))
        found = {MEAN: others.mean(), SIZE: others.abs().mean(), LARGEST: others.max()}
        cells += [
            Cell(row=row, column=column, unit="number", value=value.item())
            for column, value in found.items()
        ]
        matrices += drawn(row, analysis)
    return Measurement(
        stated="S with M: Spearman correlation of the similarity with the symmetrised attack "
        "matrix; p by Mantel's test, which permutes the classes. Cosines of different classes.",
        cells=cells,
        matrices=matrices,
    )
