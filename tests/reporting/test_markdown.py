import re

import pytest

from classward.records.gate import Gate
from classward.reporting.markdown import markdown, plain

GATES = [
    Gate(name="min_robust_accuracy", passed=True, evidence="robust accuracy is not below 0.1"),
    Gate(name="max_pair_flow", passed=False, evidence="largest flow 0.5, a|b to <i>, is above"),
]


def tables(text):
    """Cells of each row of each table, without the line of dashes."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    return [
        [row.strip("|").split("|") for row in block.splitlines() if "---" not in row]
        for block in blocks
    ]


@pytest.mark.parametrize("verdict", ["sound", "suspect", "unsound"])
def test_verdict_and_headline_stand_in_the_first_line(audit_of, verdict):
    audit = audit_of(verdict=verdict)
    first = markdown(audit, []).splitlines()[0]
    assert f"{verdict}: robust accuracy {100 * audit.robust_accuracy:.1f}% (" in first


def test_gates_are_a_table(audit_of):
    gates = tables(markdown(audit_of(), GATES))[0]
    assert [row[0].strip() for row in gates] == ["gate", "min robust accuracy", "max pair flow"]
    assert "passed" in gates[1][1] and "failed" in gates[2][1]
    assert {len(row) for row in gates} == {3}


def test_only_failed_checks_are_listed(audit_of):
    assert "All 3 checks of the verdict passed." in markdown(audit_of(), [])
    (checks, _) = tables(markdown(audit_of(verdict="suspect"), []))
    assert [row[0].strip() for row in checks] == ["check", "steps help"]


def test_the_worst_class_and_pair_are_named(audit_of):
    audit = audit_of()
    text = markdown(audit, [])
    weakest = min(audit.per_class, key=lambda entry: entry.robust)
    assert f"Weakest class: **{weakest.name}**, {100 * weakest.robust:.1f}% (" in text
    share = max(
        share
        for i, row in enumerate(audit.attack_matrix)
        for j, share in enumerate(row)
        if i != j
    )
    assert f"**, {100 * share:.1f}%" in text.split("Largest flow:")[1].splitlines()[0]


def test_every_class_is_folded_away(audit_of):
    text = markdown(audit_of(empty=(3,)), GATES)
    folded = text[text.index("<details>") : text.index("</details>")]
    (rows,) = tables(folded)
    assert len(rows) == 11 and "undefined" in rows[4][2]
    assert "<details>\n<summary>All 10 classes</summary>\n\n|" in text


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "<script>",
        "**bold**",
        "`x`",
        "[l](http://e)",
        "@team",
        "#77",
        "a\nb",
        "&lt;",
        "~~s",
    ],
)
def test_a_name_is_only_text(audit_of, name):
    text = markdown(audit_of(classes=2, names=[name, "other"], name=name, data=name), [])
    benign = markdown(audit_of(classes=2, names=["n", "other"], name="n", data="n"), [])
    assert [len(row) for table in tables(text) for row in table] == [
        len(row) for table in tables(benign) for row in table
    ]
    for mark in ("<script", "`", "](", "@team", "#77", "&lt;", "~~", "http://"):
        assert mark not in text
    assert text.count("**") == benign.count("**")


def test_what_has_no_meaning_stays_readable():
    assert (
        plain("cat, 54.3% (51.0), p = 0.1: low-light")
        == "cat, 54.3% (51.0), p = 0.1: low-light"
    )
