from xml.etree import ElementTree

import pytest

from classward.records.gate import Gate
from classward.reporting.junit import junit

GATES = [
    Gate(name="min_robust_accuracy", passed=True, evidence="robust accuracy is not below 0.1"),
    Gate(name="max_class_gap", passed=False, evidence="class gap 0.9 is above 0.2"),
]


def suite_of(audit, gates=GATES):
    return ElementTree.fromstring(junit(audit, gates)).find("testsuite")


def test_one_case_for_each_gate_and_check(audit_of):
    audit = audit_of()
    suite = suite_of(audit)
    named = [(case.get("classname"), case.get("name")) for case in suite]
    assert named == [("classward.gates", gate.name) for gate in GATES] + [
        ("classward.checks", check.name) for check in audit.checks
    ]
    assert suite.get("tests") == str(len(named))


def test_a_failed_gate_is_a_failure_with_its_line(audit_of):
    suite = suite_of(audit_of())
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "class gap 0.9 is above 0.2"
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "0")


@pytest.mark.parametrize(
    ("verdict", "failures", "skipped"),
    [("sound", 0, 0), ("suspect", 0, 1), ("unsound", 2, 0)],
)
def test_it_fails_where_the_command_does(audit_of, verdict, failures, skipped):
    suite = suite_of(audit_of(verdict=verdict), [])
    assert (suite.get("failures"), suite.get("skipped")) == (str(failures), str(skipped))
    assert len(list(suite.iter("failure"))) == failures
    assert {e.get("type") for e in suite.iter("failure")} <= {"unsound"}
    assert {e.get("type") for e in suite.iter("skipped")} <= {"suspect"}


@pytest.mark.parametrize(
    "text", ["<&>\"'", "]]>", "\x00\x1b[31m\x0b", "\ud800", "\ufffe", "a\nb"]
)
def test_any_text_leaves_it_well_formed(audit_of, text):
    gate = Gate(name="max_pair_flow", passed=False, evidence=f"from {text} to")
    suite = suite_of(audit_of(), [gate])
    message = suite.find("testcase/failure").get("message")
    assert message.startswith("from ") and message.isprintable()
    if text.isprintable():
        assert text in message
