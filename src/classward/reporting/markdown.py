"""An audit in GitHub's Markdown: a step summary, or a comment on a pull request.

Whatever comes from outside is written so that it stays text: no markup, no link, no mention.
"""

import re
from collections.abc import Iterable, Sequence

from classward.records.audit_result import Audit, ClassAccuracy
from classward.records.gate import Gate
from classward.reporting.class_bars import least_robust
from classward.reporting.sentences import failed_first
from classward.reporting.wording import (
    between,
    label,
    measured,
    percent,
    printable,
    radius,
    words,
)

MARKS = {"sound": "✅", "suspect": "⚠️", "unsound": "❌"}
ACTIVE = re.compile(r"[\\`*_{}\[\]<>|~#@&]|:(?=//)")  # what Markdown or GitHub gives a meaning


def markdown(audit: Audit, gates: Sequence[Gate]) -> str:
    """Verdict, headline with its interval, gates, worst class and pair, and folded, classes."""
    head = measured(audit.robust_accuracy, *audit.interval)
    lines = [
        f"### {MARKS[audit.verdict]} {audit.verdict}: robust accuracy {head}",
        "",
        f"{plain(printable(audit.model, 80))} on {plain(printable(audit.data, 80))}, "
        f"{audit.samples} samples, {radius(audit.norm, audit.eps)}, worst of "
        f"{len(audit.attacks)} attacks; clean accuracy {percent(audit.clean_accuracy)}.",
        "",
        *_gates(gates),
        *_failed_checks(audit),
        *_worst(audit),
        "",
        "<details>",
        f"<summary>All {len(audit.per_class)} classes</summary>",
        "",
        *_table(["class", "samples", "clean", "robust"], map(_class, audit.per_class)),
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text in which no character means anything but itself.

    >>> plain("a|b <b>"), plain("@me")
    ('a&#124;b &#60;b&#62;', '&#64;<!-- -->me')
    """
    return ACTIVE.sub(lambda mark: f"&#{ord(mark[0])};" + _apart(mark[0]), text)


def _apart(mark: str) -> str:
    """Parts a mention or a reference from its mark, which GitHub looks for after all else."""
    return "<!-- -->" if mark in "@#" else ""


def _gates(gates: Sequence[Gate]) -> list[str]:
    if not gates:
        return []
    rows = (
        [words(gate.name), "✅ passed" if gate.passed else "❌ failed", _told(gate.evidence)]
        for gate in gates
    )
    return [*_table(["gate", "result", "evidence"], rows), ""]


def _failed_checks(audit: Audit) -> list[str]:
    failed = [check for check in failed_first(audit.checks) if not check.passed]
    if not failed:
        return [f"All {len(audit.checks)} checks of the verdict passed.", ""]
    rows = (
        [words(c.name), f"{MARKS[c.otherwise]} {c.otherwise}", _told(c.evidence)]
        for c in failed
    )
    return [*_table(["check", "says", "evidence"], rows), ""]


def _worst(audit: Audit) -> list[str]:
    lines = []
    if weakest := least_robust(audit.per_class, 1):
        interval = weakest[0].robust_interval or (None, None)
        share = measured(weakest[0].robust, *interval)
        lines.append(
            f"- Weakest class: **{plain(label(weakest[0].name))}**, {share} stay right"
        )
    flows = [
        (share, i, j)
        for i, row in enumerate(audit.attack_matrix)
        for j, share in enumerate(row)
        if share and i != j
    ]
    if flows:
        share, i, j = max(flows, key=lambda flow: flow[0])
        names = [plain(label(audit.classes[n])) for n in (i, j)]
        lines.append(f"- Largest flow: **{names[0]}** → **{names[1]}**, {percent(share)}")
    return lines


def _class(entry: ClassAccuracy) -> list[str]:
    robust = percent(entry.robust)
    if entry.robust_interval:
        robust += f" ({between(*entry.robust_interval)})"
    return [plain(label(entry.name, 48)), str(entry.samples), percent(entry.clean), robust]


def _told(evidence: str) -> str:
    return plain(printable(evidence, 400))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
