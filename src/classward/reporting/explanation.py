"""An explanation of a corrector: its sentences and its table as text."""

from classward.records.explanation_result import Explanation, SupportingClasses
from classward.reporting.wording import label, number, percent, words

SHOWN = 3  # supporting classes in a line
BLIND = ("random weights", "permuted labels")  # references that know nothing of the attack


def explanation_sentences(explanation: Explanation) -> dict[str, str]:
    """What the corrector listens to under each attack, and whether that is its own."""
    told = {}
    named = len(explanation.attacks) > 1
    for entry in explanation.attacks:
        which = f" ({words(entry.attack)})" if named else ""
        told[f"What it listens to{which}"] = _listens(entry)
        told[f"Does it depend on them{which}"] = _depends(entry)
    return told


def explanation_table(explanation: Explanation) -> list[list[str]]:
    """Frequencies and overlaps, one line for each attack and reference, the head first."""
    rows = [["attack", "counts of", "most frequent class", "overlap"]]
    for entry in explanation.attacks:
        rows.append([words(entry.attack), "the corrector", percent(entry.top_share), "1.00"])
        rows += [
            ["", name, percent(reference.top_share), number(reference.overlap)]
            for name, reference in entry.references.items()
        ]
    return rows


def _listens(entry: SupportingClasses) -> str:
    chance = max(
        (reference.top_share for name, reference in entry.references.items() if name in BLIND),
        default=entry.expected_share,
    )
    more = "more" if entry.top_share > chance else "no more"
    classes = ", ".join(map(label, entry.supporting[:SHOWN]))
    most = (
        "pulls most" if entry.looked_at == 1 else f"is of the {entry.looked_at} that pull most"
    )
    return (
        f"Most often to {classes}: the first {most} in {percent(entry.top_share)} of "
        f"{entry.samples} images, {more} than something that has not learned of this attack "
        f"shows ({percent(chance)})."
    )


def _depends(entry: SupportingClasses) -> str:
    lowered, chance = entry.lowered.right, entry.lowered_random.right
    return (
        f"Corrected {percent(entry.corrected.value)}; with their logits reduced by "
        f"{entry.by:g} {percent(lowered.value)}, with those of as many random classes "
        f"{percent(chance.value)}."
    )
