"""Which logits pull one image back, under each attack (Fig. 4).

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
appendix B, Fig. 4.
"""

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.evaluation.explain_instance import explain_instance
from classward.experiments.kept_study import kept_study
from classward.experiments.measurement import Measurement, printed_in
from classward.experiments.paper_table import PaperTable
from classward.experiments.shelf import Shelf
from classward.records.record import Record
from classward.records.reproduction_result import Cell

GREATEST = "greatest contribution"


def instance_support(table: PaperTable, shelf: Shelf) -> Measurement:
    """Each row is an attack; the image is the first that was right and fell to all of them."""
    _, folder = kept_study(shelf, str(table.asked["group"]))
    records = {
        row: Record.open(folder / f"test-{attack}")
        for row, attack in table.asked["rows"].items()
    }
    first, *_ = records.values()
    fell = first.correct.clone()
    for record in records.values():
        fell &= ~record.robust
    if not fell.any():
        raise InputError(f"{table.name}: no image falls to all of its attacks")
    sample = int(first.ids[fell][0])
    cells = []
    for row, record in records.items():
        corrector = Corrector.load(folder / f"{table.asked['rows'][row]}.safetensors")
        found = explain_instance(corrector, {row: record}, sample)
        entry = found.attacks[0]
        pulls = ", ".join(f"{pull.name} {pull.value:.2f}" for pull in entry.pulls)
        texts = {
            GREATEST: "true class"
            if entry.pulls[0].name == found.label
            else entry.pulls[0].name,
            "ten greatest S_k": pulls,
            "label, attacked, corrected": f"{found.label}, {entry.said}, {entry.corrected}",
        }
        for column, text in texts.items():
            printed = printed_in(table, row, column)
            cells.append(Cell(row=row, column=column, unit="text", printed=printed, value=text))
    return Measurement(
        stated=f"Image {sample}, with the corrector of each attack. One image proves nothing: "
        "how often the label pulls most is in the table of supporting classes.",
        cells=cells,
    )
