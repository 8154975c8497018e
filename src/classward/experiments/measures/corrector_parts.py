"""What a corrector owes to its layers, neurons, clean share and training samples.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.2.
"""

from classward.core.errors import InputError
from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, printed_in, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.reproduction_result import Cell


def corrector_parts(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is a corrector with one thing changed, on PGD."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    if study.ablations is None:
        raise InputError(f"{table.name}: the study has no ablations")
    known = {name: row for row, name in table.asked["rows"].items()}
    cells = []
    for variant in study.ablations.variants:
        row = known.get(variant.name, variant.name)
        cells.append(share_cell(table, row, table.columns[0], variant.attacked))
        cells.append(share_cell(table, row, "clean", variant.clean))
    second = study.ablations.second_layer
    cells.append(
        Cell(
            row="two layers minus one layer",
            column=table.columns[0],
            printed=printed_in(table, "two layers minus one layer", table.columns[0]),
            value=second.difference,
            low=second.low,
            high=second.high,
            samples=second.total,
            p=second.p,
        )
    )
    return Measurement(
        stated="Over images that the network gets right when clean. Intervals: Wilson; of the "
        "difference Bonett and Price's for pairs, p by McNemar's exact test.",
        cells=cells,
    )
