import json

import pytest

DATA = ("--data", "digits", "--eps", "0.05")
FGSM = ("attack", "--attack", "fgsm")


@pytest.fixture
def make(cli):
    """Make a run of 30 samples in the folder `name`."""

    def run(command, model, name, *options):
        given = ("--model", f"mine.py:{model}", *DATA, "--samples", "30", "--out", name)
        made = cli(*command, *given, *options)
        assert made.code == 0, made.err

    return run


def test_compare_prints_writes_and_renders(cli, make, tmp_path):
    make(("audit",), "model", "a")
    make(("audit",), "shifted", "b")
    said = cli("compare", "a", "b", "a", "--json")
    assert said.code == 0, said.err
    table = json.loads(said.out)
    assert [run["name"] for run in table["runs"]] == ["a", "b", "a"]
    first, second = table["differences"]
    audits = [json.loads((tmp_path / n / "result.json").read_text()) for n in "ab"]
    assert first["worst_case"]["reference"] == audits[0]["robust_accuracy"]
    assert first["worst_case"]["other"] == audits[1]["robust_accuracy"]
    assert second["worst_case"]["difference"] == 0
    folder = tmp_path / "runs" / "compare-1"
    assert json.loads((folder / "result.json").read_text())["kind"] == "comparison"
    page = (folder / "report.html").read_text()
    assert "Content-Security-Policy" in page and "Run 3: a" in page
    assert cli("report", str(folder)).code == 0
    assert (folder / "report.html").read_text() == page


def test_a_worse_run_is_no_failure(cli, make):
    make(FGSM, "model", "a")
    make(FGSM, "shifted", "b")
    said = cli("compare", "a", "b", "--out", "ab")
    assert said.code == 0 and said.out.startswith("Better or worse: Under attack b is ")
    again = cli("compare", "a", "b", "--out", "ab")
    assert again.code == 2 and "--overwrite" in again.err
    assert cli("compare", "a", "b", "--out", "ab", "--overwrite").code == 0


def test_what_cannot_be_compared(cli, make, tmp_path):
    make(FGSM, "model", "a")
    make(FGSM, "shifted", "b")
    make(FGSM, "model", "fewer", "--samples", "20")
    cases = {
        "two runs or more": ("a",),
        "not a run folder": ("a", "nowhere"),
        "expected a run folder": ("a", "mine.py"),
        "other samples": ("a", "fewer"),
        "tolerance": ("a", "b", "--tolerance", "0"),
    }
    for wanted, options in cases.items():
        said = cli("compare", *options)
        (line,) = said.err.strip().splitlines()
        assert said.code == 2 and said.out == ""
        assert line.startswith("classward: ") and wanted in line
    assert not (tmp_path / "runs").exists()
