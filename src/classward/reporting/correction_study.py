"""A study of logits correction: its tables, and what its page shows."""

from collections.abc import Callable
from typing import Any, Literal

from classward.records.correction_study_result import (
    Accuracies,
    CorrectionStudy,
    Foreign,
    NetworkTransfer,
    OwnAttack,
)
from classward.records.detection_result import Detection, DetectionTable
from classward.records.explanation_result import SupportingClasses
from classward.records.result import Share
from classward.reporting.correction_study_sentences import predicts, second_layer
from classward.reporting.references import references
from classward.reporting.section import Cell, Section, Table
from classward.reporting.wording import UNDEFINED, label, number, percent, printable, words

SHOWN = 3  # supporting classes in a cell
BLIND = ("random weights", "permuted labels")  # references that know nothing of the attack
SECOND = "another seed"
ACCURACIES = ("clean", "corrected", "attacked", "corrected")  # each pair without and with it


def study_table(study: CorrectionStudy) -> list[list[str]]:
    """Each corrector of the studied network on its own attacks, over selected samples."""
    own = [row for row in study.own if row.network == study.own[0].network]
    return [
        [percent(cell.value) if isinstance(cell, Share) else str(cell) for cell in row]
        for row in own_table(own, "selected")
    ]


def study_view(study: CorrectionStudy) -> dict[str, Any]:
    """What the template may name."""
    return {
        "title": f"Logits correction of {study.model} on {study.data}",
        "study": study,
        "transfer": study.transfer,
        "before": _own_sections(study),
        "after": [*_transfer_sections(study), *_why_sections(study), *_last_sections(study)],
        "references": references(["corrector", "supporting_classes", *study.attacks.values()]),
    }


def own_table(own: list[OwnAttack], over: Literal["selected", "full"]) -> Table:
    """Each corrector on the attacks that it was fitted on."""
    several = len({row.network for row in own}) > 1
    rates = ["recovered", "damaged"] if over == "selected" else []
    head = [*(["network"] if several else []), "corrector", "attack", *ACCURACIES, *rates]
    lines: Table = [[*head]]
    for row in own:
        lines.append(
            [
                *([printable(row.network, 60)] if several else []),
                words(row.corrector),
                words(row.attack),
                *_four(getattr(row, over)),
                *([row.recovered, row.damaged] if rates else []),
            ]
        )
    return lines


def _four(entry: Accuracies) -> list[Share]:
    return [entry.clean, entry.clean_corrected, entry.attacked, entry.attacked_corrected]


def _own_sections(study: CorrectionStudy) -> list[Section]:
    texts = len(own_table(study.own, "full")[0]) - len(ACCURACIES)
    return [
        Section(
            title="Each corrector on its own attacks, selected images",
            note=f"Over the images that {study.model} gets right when clean. Recovered: of "
            "those right and then fooled, the share right again. Damaged: of those right when "
            "clean, the share made wrong. No attacker here knows a corrector.",
            table=own_table(study.own, "selected"),
            texts=texts,
        ),
        Section(
            title="The same over all images",
            note="Here the label, which the attack was told, can show in the logits it leaves: "
            "accuracy may exceed that on clean images.",
            table=own_table(study.own, "full"),
            texts=texts,
        ),
    ]


def _transfer_sections(study: CorrectionStudy) -> list[Section]:
    full = study.transfer_full
    sections = [
        Section(
            title="Correctors against attacks, all images",
            note="Rows are attacks, columns correctors by the attack they were fitted on.",
            table=[
                ["attack", *map(words, full.correctors)],
                *(
                    [words(attack), *row]
                    for attack, row in zip(full.attacks, full.accuracy, strict=True)
                ),
            ],
        )
    ]
    if study.networks:
        head: list[Cell] = ["network", "attack", "no correction", "its own corrector"]
        parts: dict[str, Callable[[NetworkTransfer], Foreign]] = {
            "attacked": lambda row: row.attacked,
            "clean": lambda row: row.clean,
        }
        sections += [
            Section(
                title=f"Correctors of {study.model} on other networks, {part} images",
                note=f"Over the images that {study.model} gets right. Standardised: the logits "
                "of the other network are given the mean and the spread that those of "
                f"{study.model} have on clean training images.",
                table=[
                    [*head, "as they are", "standardised"],
                    *(_foreign(row, of(row)) for row in study.networks),
                ],
                texts=2,
            )
            for part, of in parts.items()
        ]
    return sections


def _foreign(row: NetworkTransfer, entry: Foreign) -> list[Cell]:
    shares = [entry.bare, entry.own, entry.raw, entry.standardised]
    return [printable(row.network, 60), words(row.attack), *shares]


def _why_sections(study: CorrectionStudy) -> list[Section]:
    head: list[Cell] = ["corrector", "attack", "supporting", "share", "chance", "overlap"]
    entries = [
        (name, entry)
        for name, explanation in study.explanations.items()
        for entry in explanation.attacks
    ]
    names = [words(name) for name in study.supporting.attacks]
    return [
        Section(
            title="What each corrector listens to",
            note="Share: how often the first supporting class pulls most to the label; chance: "
            "the same of random weights or permuted labels, whichever is more; overlap: of the "
            "counts with those of another seed. At the right the share corrected, also with "
            "the logits of the supporting classes reduced, or of random ones.",
            table=[
                [*head, "corrected", "reduced", "random"],
                *(_listens(name, entry) for name, entry in entries),
            ],
            texts=3,
        ),
        Section(
            title="Overlap of the supporting classes",
            note="Bhattacharyya coefficients of counts, each by the attack's own corrector. "
            + predicts(study.supporting),
            table=[
                ["attack", *names],
                *(
                    [name, *map(number, row)]
                    for name, row in zip(names, study.supporting.overlap, strict=True)
                ),
            ],
        ),
    ]


def _listens(name: str, entry: SupportingClasses) -> list[Cell]:
    counted = entry.joined
    known = counted.references
    chance = max((known[key].top_share for key in BLIND if key in known), default=None)
    overlap = known[SECOND].overlap if SECOND in known else None
    return [
        words(name),
        words(entry.attack),
        ", ".join(map(label, counted.supporting[:SHOWN])),
        percent(counted.top_share),
        percent(chance),
        number(overlap),
        entry.corrected,
        entry.lowered.right,
        entry.lowered_random.right,
    ]


def _areas(table: DetectionTable) -> Table:
    """Each detector (lines) on each attack (columns)."""
    columns = zip(*table.cells, strict=True)
    return [
        ["detector", *map(words, table.attacks)],
        *(
            [name, *map(_area, column)]
            for name, column in zip(table.detectors, columns, strict=True)
        ),
    ]


def _area(cell: Detection | None) -> str:
    if cell is None:
        return UNDEFINED
    return f"{number(cell.auroc)} ({number(cell.low)} to {number(cell.high)})"


def _last_sections(study: CorrectionStudy) -> list[Section]:
    some = next(iter(study.adaptive.values())).adaptive_worst.total
    columns: Table = [["corrector", "attack", "no defense", "gray-box", "adaptive"]]
    columns += [
        [words(name), words(row.attack), row.no_defense, row.gray_box, table.adaptive_worst]
        for name, table in study.adaptive.items()
        for row in table.gray_box
    ]
    sections = [
        Section(
            title="Can attacked logits be told",
            note="Area under the ROC curve of each detector, in brackets its 95% interval.",
            table=_areas(study.detection),
        ),
        Section(
            title="Three attackers",
            note=f"The first {some} images. Adaptive: the attacker knows corrector and weights "
            "and attacks both as one; only this number is robustness.",
            table=columns,
            texts=2,
        ),
    ]
    if study.ablations is not None:
        lines: Table = [["varied", "to", "training samples", "clean", "attacked"]]
        lines += [
            [row.group, row.name, f"{row.training_samples}", row.clean, row.attacked]
            for row in study.ablations.variants
        ]
        sections.append(
            Section(
                title=f"What the {words(study.ablations.attack)} corrector owes to its parts",
                note=f"Over selected images. {second_layer(study.ablations)}",
                table=lines,
                texts=2,
            )
        )
    return sections
