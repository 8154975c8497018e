"""What a build asks of an audit: exit codes, lines, and files for a build server."""

import json
from xml.etree import ElementTree

import pytest

DATA = ("--data", "digits", "--samples", "60", "--eps", "0.05")
WORSE = """
def worse():
    network = ridge()
    network[1].weight.data *= 1 + 0.9 * torch.sin(torch.arange(640.0).view(10, 64) * 3)
    return network.eval()
"""


@pytest.fixture
def build(cli, tmp_path):
    """Audit `model` as a build does."""
    with open(tmp_path / "mine.py", "a") as file:
        file.write(WORSE)

    def call(model, *options):
        return cli("audit", "--model", f"mine.py:{model}", *DATA, *options)

    return call


def gate_lines(said):
    return [line for line in said.err.splitlines() if line.startswith("gate ")]


def test_every_failed_gate_has_one_line(build):
    limits = ("--min-robust-accuracy", ".99", "--max-class-gap", ".01", "--max-pair-flow", "0")
    said = build("model", *limits)
    assert said.code == 1
    starts = ("robust accuracy 0.", "class gap 0.", "largest flow 0.")
    lines = gate_lines(said)
    assert len(lines) == 3
    assert all(
        line.startswith(f"gate failed: {start}")
        for line, start in zip(lines, starts, strict=True)
    )


def test_a_build_is_held_against_an_earlier_one(build):
    assert build("model", "--out", "good").code == 0
    same = build("model", "--baseline", "good", "--max-pair-flow", "1")
    flow, line = gate_lines(same)
    assert same.code == 0 and flow.startswith("gate passed: largest flow 0.")
    assert line.startswith("gate passed: ") and "(0 samples lost, 0 gained, p = 1)" in line
    worse = build("worse", "--baseline", "good")
    (line,) = gate_lines(worse)
    assert worse.code == 1 and "is worse than" in line and "of good (" in line


def test_unsound_wins_over_a_failed_gate(build):
    said = build("blind", "--min-robust-accuracy", "1", "--junit", "j.xml")
    assert said.code == 4 and len(gate_lines(said)) == 1
    failures = ElementTree.parse("j.xml").getroot().iter("failure")
    assert {failure.get("type") for failure in failures} == {"gate", "unsound"}


def test_the_files_are_written_when_a_gate_fails_too(build, tmp_path):
    files = ("--junit", "junit.xml", "--markdown", "summary.md")
    said = build("model", "--max-class-gap", "0", *files, "--json")
    assert said.code == 1 and json.loads(said.out)["verdict"] == "sound"
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testsuite")
    assert suite.get("failures") == "1"
    assert int(suite.get("tests")) == 1 + len(json.loads(said.out)["checks"])
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("### ✅ sound: robust accuracy ") and "❌ failed" in text


def refused(said, wanted):
    (line,) = said.err.strip().splitlines()
    assert said.code == 2 and said.out == ""
    assert line.startswith("classward: ") and wanted in line and len(line) < 300


def test_a_baseline_that_cannot_be_one_is_refused_before_the_attacks(build, cli, tmp_path):
    assert build("model", "--out", "good").code == 0
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "manifest.json").write_text(
        (tmp_path / "good" / "manifest.json").read_text()
    )
    cases = {
        "not a run folder": ("--baseline", "nowhere"),
        "expected a run folder": ("--baseline", "mine.py"),
        "expected an audit": ("--baseline", "good/pgd"),
        "not complete": ("--baseline", "short"),
        "other samples": ("--baseline", "good", "--samples", "30"),
        "now linf 0.06": ("--baseline", "good", "--eps", "0.06"),
        "now l2": ("--baseline", "good", "--norm", "l2"),
        "choose another --out": ("--baseline", "good", "--out", "good", "--overwrite"),
    }
    for wanted, options in cases.items():
        refused(build("model", *options), wanted)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--max-pair-flow", "30"), "--max-pair-flow"),
        (("--max-pair-flow", "-1"), "--max-pair-flow"),
        (("--junit", "no/where.xml"), "no/where.xml"),
        (("--markdown", "."), "--markdown"),
    ],
)
def test_what_cannot_be_is_refused_at_once(build, options, wanted):
    refused(build("model", *options), wanted)
