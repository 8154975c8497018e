"""An audit as JUnit XML, which build servers show: one test case for each gate and check.

It fails exactly where the command does: a check that makes the number suspect does not end a
build, so its case is skipped, with what it says.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from classward.records.audit_result import Audit
from classward.records.gate import Gate
from classward.reporting.wording import printable


def junit(audit: Audit, gates: Sequence[Gate]) -> str:
    """The XML of one test suite; names and evidence hold no character that XML forbids."""
    suite = ElementTree.Element("testsuite", name="classward audit")
    for gate in gates:
        found = None if gate.passed else ("failure", "gate")
        _case(suite, "gates", gate.name, gate.evidence, found)
    for check in audit.checks:
        kind = "failure" if check.otherwise == "unsound" else "skipped"
        found = None if check.passed else (kind, check.otherwise)
        _case(suite, "checks", check.name, check.evidence, found)
    for tag, name in (("failure", "failures"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    suite.set("errors", "0")
    suite.set("time", f"{audit.seconds:.3f}")
    whole = ElementTree.Element("testsuites", name="classward")
    whole.append(suite)
    ElementTree.indent(whole)
    return ElementTree.tostring(whole, encoding="unicode") + "\n"


def _case(
    suite: ElementTree.Element,
    room: str,
    name: str,
    told: str,
    found: tuple[str, str] | None,
) -> None:
    """One test case; `found` is the element that says it did not pass, and its type."""
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"classward.{room}", name=_text(name), time="0"
    )
    if found is not None:
        ElementTree.SubElement(case, found[0], type=found[1], message=_text(told))
    ElementTree.SubElement(case, "system-out").text = _text(told)


def _text(text: str) -> str:
    return printable(text, width=600)
