"""Pages of the documentation on the papers, in Markdown: every claim decided, every table."""

from collections.abc import Iterable, Sequence

from classward.records.claims_result import Claims, Decision, Headline, Outcome
from classward.records.reproduction_result import Reproduction
from classward.reporting.claims import OUTCOMES
from classward.reporting.markdown import plain
from classward.reporting.reproduction import NOTHING, reproduction_lines
from classward.reporting.wording import duration

MARKS: dict[Outcome, str] = {
    "holds": "● holds",
    "partly": "◐ partly",
    "not here": "○ not here",
    "undecided": "◌ undecided",
    "lacks": "· lacks",
}
NAMES = {
    "symmetry": "Mei et al., Towards Interpreting and Utilizing Symmetry Property in "
    "Adversarial Examples (AAAI 2023)",
    "logits": "Li et al., Defending Adversarial Attacks by Correcting logits (2019)",
}
MOST_EVIDENCE = 3
SEEN = " †"  # after the outcome of a test that was chosen with results at hand


def claims_page(told: Claims) -> str:
    """Every claim with its outcome, what was asked, and the numbers."""
    lines = [
        "# Claims of the papers, decided",
        "",
        "Written by `make papers` from the results in `results/papers/`; do not edit by hand.",
        "",
        f"Scale {told.scale}: smaller networks, less data and fewer epochs than the papers "
        "had, so a claim that fails here may hold there, and the other way round. What each "
        "table has in place of the printed setting is on [its page](papers.md).",
        "",
        *_table(["", *NAMES, "means"], _counts(told)),
        "",
        "†: its test, or how it is measured, was changed after results had been looked at.",
        "",
        "## In short",
        "",
        *[_headline(headline, told) for headline in told.headlines],
        "",
    ]
    for paper, name in NAMES.items():
        mine = [decision for decision in told.decisions if decision.id.startswith(paper)]
        lines += [f"## {name}", ""]
        for section in dict.fromkeys(decision.section for decision in mine):
            chosen = [decision for decision in mine if decision.section == section]
            head = ["claim", "outcome", "asked", "numbers"]
            lines += [f"### {plain(section)}", "", *_table(head, map(_claim, chosen)), ""]
    return "\n".join(lines)


def papers_page(results: Sequence[Reproduction]) -> str:
    """Every table and figure: printed, ours, difference, and the command."""
    lines = [
        "# Tables and figures of the papers, run again",
        "",
        "Written by `make papers` from the results in `results/papers/`; do not edit by hand.",
        "What they say of the papers' claims: [claims](claims.md).",
        "",
        "```sh",
        "classward reproduce all --scale small --data-root DATA  # goes on where it stopped",
        "classward reproduce symmetry/table1 --data-root DATA",
        "```",
        "",
    ]
    for told in results:
        lines += [
            f"## {told.name}: {plain(told.title)}",
            "",
            f"{told.label}, section “{plain(told.section)}”. Printed: {plain(told.setting)}. "
            f"Here: {plain('; '.join(told.differs))}. {duration(told.seconds)} from what was "
            f"kept. {plain(told.stated)}",
            "",
            *_table(*_split(reproduction_lines(told))),
            "",
        ]
    return "\n".join(lines)


def _split(lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    head, *rows = lines
    return head, [[plain(cell) for cell in row] for row in rows]


def _headline(headline: Headline, told: Claims) -> str:
    """What several claims say, how they were decided, and links to them."""
    outcomes = {decision.id: decision.outcome for decision in told.decisions}
    found = [outcomes[claim] for claim in headline.claims]
    counts = [
        f"{found.count(outcome)} {MARKS[outcome]}" for outcome in OUTCOMES if outcome in found
    ]
    links = ", ".join(f"[{claim}](#{claim})" for claim in headline.claims)
    return f"- **{plain(headline.says)}** {', '.join(counts)}. {links}"


def _counts(told: Claims) -> list[list[str]]:
    rows = []
    for outcome, meaning in OUTCOMES.items():
        of_paper = [
            sum(d.outcome == outcome and d.id.startswith(paper) for d in told.decisions)
            for paper in NAMES
        ]
        rows.append([MARKS[outcome], *map(str, of_paper), meaning])
    return rows


def _claim(decision: Decision) -> list[str]:
    shown = [plain(number) for number in decision.evidence[:MOST_EVIDENCE]]
    if len(decision.evidence) > MOST_EVIDENCE:
        shown.append(f"{len(decision.evidence) - MOST_EVIDENCE} more")
    says = f"<a id='{decision.id}'></a>{plain(decision.says)}"
    numbers = "<br>".join(shown) or NOTHING
    outcome = MARKS[decision.outcome] + SEEN * decision.seen
    return [says, outcome, plain(decision.asked), numbers]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
