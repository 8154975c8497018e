"""A contest of training defenses: its sentences, and what its page shows."""

from typing import Any

from classward.records.defense_contest_result import ContestRow, DefenseContest, Lead, OverSeeds
from classward.reporting.references import references
from classward.reporting.section import Cell, Section, Table
from classward.reporting.wording import between, listed, number, p_value, percent, points, words

SURE = 0.01  # a lead with a lower p-value is called one
FELL = 0.05  # robust accuracy lost between the best epoch and the last that is worth a word


def contest_sentences(contest: DefenseContest) -> dict[str, str]:
    """Which defense stands best, whether the order can be trusted, and what it costs."""
    first, *others = contest.defenses
    told = {"Which stands best": _best(contest)}
    if others:
        told[f"Better than {words(first.name)}"] = _better(others, _suite(contest))
        told["Does the order depend on the attack"] = _orders(contest)
    if fallen := [row for row in contest.defenses if _overfitted(row, _pgd(contest))]:
        names = listed([words(row.name) for row in fallen])
        told["Robust overfitting"] = f"The last epoch stands lower than the best one: {names}."
    return told


def contest_table_lines(contest: DefenseContest) -> list[list[str]]:
    """Each defense with the means of its columns."""
    columns = list(contest.defenses[0].accuracy)
    return [
        ["defense", "epochs", *columns],
        *(
            [
                words(row.name),
                str(row.epochs),
                *(percent(row.accuracy[column].mean) for column in columns),
            ]
            for row in contest.defenses
        ),
    ]


def contest_view(contest: DefenseContest) -> dict[str, Any]:
    """What the template may name."""
    return {
        "title": f"Training defenses of {contest.model} on {contest.data}",
        "contest": contest,
        "sections": [_accuracies(contest), *_leads(contest), _order(contest)],
        "references": references([row.name for row in contest.defenses]),
    }


def _accuracies(contest: DefenseContest) -> Section:
    first = contest.defenses[0]
    lines: Table = [
        ["defense", "passes", "epochs", *first.accuracy, "last epoch, " + _pgd(contest)]
    ]
    for row in contest.defenses:
        cells = [*row.accuracy.values(), row.last]
        lines.append(
            [words(row.name), f"{row.passes:.1f}", str(row.epochs), *map(_cell, cells)]
        )
    return Section(
        title="Accuracy, mean over seeds",
        note="Of the epoch that held-out training images chose, below it the 95 % interval "
        "over seeds. Passes: what an image costs in a step, in forward passes; each has as "
        "many epochs as cost alike. Worst class: the lowest of any class under all attacks on "
        f"all images. Suite: {contest.suite}.",
        table=lines,
    )


def _leads(contest: DefenseContest) -> list[Section]:
    first, *others = contest.defenses
    if not others:
        return []
    shown = [column for column in others[0].lead if column != "FGSM"]  # the weakest judge
    lines: Table = [["defense", *shown]]
    for row in others:
        cells = [_lead(row.lead[column], len(contest.seeds)) for column in shown]
        lines.append([words(row.name), *cells])
    note = (
        "Points on the same samples; below, the 95 % interval, p of the paired test over "
        "samples, not corrected for the number of tests, and in how many seeds it is ahead."
    )
    return [Section(title=f"Beside {words(first.name)}", note=note, table=lines)]


def _order(contest: DefenseContest) -> Section:
    lines: Table = [["place", f"by {_pgd(contest)} on the cross-entropy", "by the suite"]]
    ranks = zip(contest.by_cross_entropy, contest.by_suite, strict=True)
    for place, (one, other) in enumerate(ranks, start=1):
        lines.append([str(place), words(one), words(other)])
    return Section(
        title="Two orders",
        note="An attack on the cross-entropy flatters losses that leave it little slope.",
        table=lines,
        texts=3,
    )


def _cell(column: OverSeeds) -> Cell:
    if column.low is None:
        return percent(column.mean)
    return percent(column.mean), between(column.low, column.high)


def _lead(found: Lead, seeds: int) -> Cell:
    p = "p undefined" if found.p is None else f"p {p_value(found.p)}"
    below = f"{points(found.low)} to {points(found.high)}; {p}; {found.ahead} of {seeds}"
    return points(found.difference), below


def _pgd(contest: DefenseContest) -> str:
    return [*contest.defenses[0].accuracy][2]


def _suite(contest: DefenseContest) -> str:
    return [*contest.defenses[0].accuracy][4]


def _overfitted(row: ContestRow, column: str) -> bool:
    return row.accuracy[column].mean - row.last.mean > FELL


def _best(contest: DefenseContest) -> str:
    rows = {row.name: row for row in contest.defenses}
    best = rows[contest.by_suite[0]]
    column, clean = best.accuracy[_suite(contest)], best.accuracy["clean"]
    return (
        f"{words(best.name)}: {percent(column.mean)} under the suite ({contest.suite}), "
        f"{percent(clean.mean)} clean."
    )


def _better(others: list[ContestRow], suite: str) -> str:
    sure = [
        f"{words(row.name)} {points(row.lead[suite].difference)}"
        for row in others
        if row.lead[suite].difference > 0 and (row.lead[suite].p or 1.0) < SURE
    ]
    if not sure:
        return f"None under the suite at p < {SURE}."
    return f"Under the suite at p < {SURE}: {listed(sure)}."


def _orders(contest: DefenseContest) -> str:
    one, other = contest.by_cross_entropy[0], contest.by_suite[0]
    tau = "undefined" if contest.agreement is None else number(contest.agreement)
    if one == other:
        return f"The first is the same; Kendall's tau of the two orders is {tau}."
    return (
        f"Yes: on the cross-entropy {words(one)} comes first, under the suite {words(other)}; "
        f"Kendall's tau of the two orders is {tau}."
    )
