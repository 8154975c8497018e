"""An explanation of a corrector: its sentences, its table as text, and what its page shows."""

from math import sqrt
from typing import Any

from classward.records.explanation_result import Explanation, SupportingClasses
from classward.reporting.figure import svg
from classward.reporting.mean_logits import plot_mean_logits
from classward.reporting.references import references
from classward.reporting.wording import called, label, number, percent, words

SHOWN = 3  # supporting classes in a line
BLIND = ("random weights", "permuted labels")  # references that know nothing of the attack
STRONG = 0.5  # rank correlation beyond which counts may be those of the inputs


def explanation_sentences(explanation: Explanation) -> dict[str, str]:
    """What the corrector listens to under each attack, and whether that is its own."""
    told = {}
    named = len(explanation.attacks) > 1
    for entry in explanation.attacks:
        which = f" ({words(entry.attack)})" if named else ""
        told[f"What it listens to{which}"] = _listens(entry)
        told[f"Does it depend on them{which}"] = _depends(entry)
    if explanation.instance is not None:
        told[f"Image {explanation.instance.sample}"] = _instance(explanation)
    return told


def explanation_table(explanation: Explanation) -> list[list[str]]:
    """Frequencies and overlaps, one line for each attack and reference, the head first."""
    rows = [["attack", "counts of", "most frequent class", "overlap"]]
    for entry in explanation.attacks:
        top = percent(entry.joined.top_share)
        rows.append([words(entry.attack), "the corrector", top, "1.00"])
        rows += [
            ["", name, percent(reference.top_share), number(reference.overlap)]
            for name, reference in entry.joined.references.items()
        ]
    return rows


def explanation_view(explanation: Explanation) -> dict[str, Any]:
    """What the page's template may name."""
    return {
        "title": "What a corrector listens to",
        "explanation": explanation,
        "histograms": [
            svg(plot_mean_logits(entry.mean_logits), f"mean{n}")
            for n, entry in enumerate(explanation.attacks)
        ],
        "references": references(["corrector", "supporting_classes"]),
    }


def _listens(entry: SupportingClasses) -> str:
    joined = entry.joined
    chance = max(
        (reference.top_share for name, reference in joined.references.items() if name in BLIND),
        default=entry.expected_share,
    )
    more = "more" if _exceeds(joined.top_share, chance, entry.samples) else "no more"
    classes = ", ".join(map(label, joined.supporting[:SHOWN]))
    most = (
        "pulls most" if entry.looked_at == 1 else f"is of the {entry.looked_at} that pull most"
    )
    follows = joined.follows_logits
    inputs = (
        f" The counts follow the mean logits (rank correlation {number(follows)}): they may be "
        "those of inputs that are not centered."
        if follows is not None and abs(follows) > STRONG
        else ""
    )
    return (
        f"Most often to {classes}: the first {most} in {percent(joined.top_share)} of "
        f"{entry.samples} images, {more} than something that has not learned of this attack "
        f"shows ({percent(chance)}).{inputs}"
    )


def _exceeds(share: float, chance: float, samples: int) -> bool:
    """Whether by more than two alike shares of so many images differ in 95 % of cases."""
    variance = share * (1 - share) + chance * (1 - chance)
    return share - chance > 1.96 * sqrt(variance / samples)


def _depends(entry: SupportingClasses) -> str:
    lowered, chance = entry.lowered.right, entry.lowered_random.right
    return (
        f"Corrected {percent(entry.corrected.value)}; with their logits reduced by "
        f"{entry.by:g} {percent(lowered.value)}, with those of as many random classes "
        f"{percent(chance.value)}."
    )


def _instance(explanation: Explanation) -> str:
    assert explanation.instance is not None
    told = "; ".join(
        f"{words(entry.attack)} makes it {called(entry.said)}, corrected "
        f"{called(entry.corrected)}, pulled most by {called(entry.pulls[0].name)}"
        for entry in explanation.instance.attacks
    )
    return f"It is of {called(explanation.instance.label)}: {told}."
