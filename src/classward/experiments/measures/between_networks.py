"""Correctors of one network on the logits of others.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Secs. 4.2 and 5.1.
"""

from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, share_cell
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf


def between_networks(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is another network under an attack."""
    study, _ = kept_study(shelf, str(table.asked["group"]))
    first = shelf.group(study.model)["model"]
    names = {attack: name for name, attack in table.asked["names"].items()}
    cells = []
    for found in study.networks:
        network = shelf.group(found.network)["model"]
        row = f"{network}, {names.get(found.attack, found.attack)}"
        for column, share in {
            "no defense": found.attacked.bare,
            "own corrector": found.attacked.own,
            f"corrector of {first}": found.attacked.raw,
            "the same, standardised": found.attacked.standardised,
            f"clean, corrector of {first}": found.clean.raw,
        }.items():
            cells.append(share_cell(table, row, column, share))
    return Measurement(
        stated=f"Over images that {first} gets right when clean. Standardised: logits of "
        "the mean and spread of that network's. Intervals: Wilson.",
        cells=cells,
    )
