"""A study of logits correction in sentences: what holds, at what cost, and against whom."""

from classward.records.correction_study_result import (
    Ablations,
    CorrectionStudy,
    OwnAttack,
    SupportOverlap,
)
from classward.reporting.wording import (
    UNDEFINED,
    listed,
    number,
    p_value,
    percent,
    points,
    words,
)

WEAK = 0.25  # of the images that an attack leaves right


def study_sentences(study: CorrectionStudy) -> dict[str, str]:
    """What correction recovers, what it costs, against whom, and what predicts transfer."""
    told = {
        "What it recovers": _recovers(study),
        "Against whom": _against(study),
        "Does it transfer": _transfers(study),
        "Do supporting classes tell": predicts(study.supporting),
    }
    if study.ablations is not None:
        told["Does the hidden layer matter"] = second_layer(study.ablations)
    if weak := [row for row in _main(study) if (row.selected.attacked.value or 0.0) > WEAK]:
        told["Mind"] = _mind(weak)
    return told


def _recovers(study: CorrectionStudy) -> str:
    own = _main(study)
    told = ", ".join(
        f"{words(row.attack)} {percent(row.selected.attacked_corrected.value)} "
        f"(without {percent(row.selected.attacked.value)})"
        for row in own
    )
    clean = [row.selected.clean_corrected.value or 0.0 for row in own]
    return f"{told}; of clean images {percent(min(clean))} to {percent(max(clean))} stay right."


def _mind(weak: list[OwnAttack]) -> str:
    left = [f"{words(row.attack)} {percent(row.selected.attacked.value)}" for row in weak]
    return (
        f"What an attack left right needs no correction: {listed(left)} of the selected "
        "images. Look at the column of what was recovered, or attack harder."
    )


def _main(study: CorrectionStudy) -> list[OwnAttack]:
    """The rows of the studied network's correctors of one attack."""
    first = study.own[0].network
    return [row for row in study.own if row.network == first and row.corrector == row.attack]


def _against(study: CorrectionStudy) -> str:
    worst = [table.adaptive_worst for table in study.adaptive.values()]
    most = max(worst, key=lambda share: share.value or 0.0)
    return (
        f"Attackers who do not know the corrector. One who does leaves at most "
        f"{percent(most.value)} of {most.total} images right, whichever corrector it is."
    )


def _transfers(study: CorrectionStudy) -> str:
    names = study.supporting.attacks
    table = study.transfer
    cells = [
        (share.value or 0.0, words(corrector), words(attack))
        for attack, row in zip(table.attacks, table.accuracy, strict=True)
        for corrector, share in zip(table.correctors, row, strict=True)
        if corrector != attack and {corrector, attack} <= {*names}
    ]
    (low, *worst), (high, *best) = min(cells), max(cells)
    return (
        f"Between attacks from {percent(low)} (corrector of {worst[0]} on {worst[1]}) to "
        f"{percent(high)} ({best[0]} on {best[1]})."
    )


def predicts(supporting: SupportOverlap) -> str:
    """Whether overlap of supporting classes goes with transfer."""
    found = supporting.correlation
    if found is None:
        return "Their overlap is the same everywhere, so it says nothing of transfer."
    return (
        f"Overlap and transfer have a rank correlation of {number(found.value)}, "
        f"p {p_value(found.p)} beside every other order of the attacks."
    )


def second_layer(found: Ablations) -> str:
    """What two layers recover beyond one, on the same images."""
    change = found.second_layer
    if change.difference is None or change.low is None or change.high is None:
        return UNDEFINED
    p = "" if change.p is None else f", p {p_value(change.p)}"
    return (
        f"Under {words(found.attack)} two layers recover {percent(change.other)}, one "
        f"{percent(change.reference)}: {points(change.difference)} points "
        f"({points(change.low)} to {points(change.high)}{p})."
    )
