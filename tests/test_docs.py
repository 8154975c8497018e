"""The pages: every public name has its entry, every link between pages leads somewhere."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest

import classward

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_public_name_is_in_the_python_reference():
    named = re.findall(r"^::: classward\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert sorted(named) == sorted(classward._WHERE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in targets if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("file", "result"), [("broken_defenses", "broken_defenses"), ("attacks_page", "attacks")]
)
def test_a_page_of_measurements_is_that_of_the_kept_result(file, result):
    spec = importlib.util.spec_from_file_location("bench", ROOT / f"benchmarks/{file}.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    kept = json.loads((ROOT / f"benchmarks/results/{result}.json").read_text())
    assert bench.PAGE.read_text() == bench.page(kept)


def test_the_pages_on_the_papers_are_those_of_the_kept_results():
    file = ROOT / "results/papers_pages.py"
    spec = importlib.util.spec_from_file_location("papers_pages", file)
    papers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(papers)
    for name, text in papers.pages().items():
        assert (ROOT / "docs" / name).read_text() == text


def test_the_page_of_commands_is_that_of_the_command_line():
    spec = importlib.util.spec_from_file_location("commands", ROOT / "results/commands_page.py")
    commands = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(commands)
    assert commands.PAGE.read_text() == commands.page()


@pytest.mark.parametrize("result", sorted((ROOT / "results").glob("contest_*.json")))
def test_the_table_of_a_contest_is_that_of_the_kept_result(result):
    page = (ROOT / "docs" / "defense_results.md").read_text()
    for row in json.loads(result.read_text())["defenses"]:
        cells = [
            f"{100 * column['mean']:.1f} ± {50 * (column['high'] - column['low']):.1f}"
            for column in row["accuracy"].values()
        ]
        assert f"| {row['name']} | {row['epochs']} | {' | '.join(cells)} |" in page


@pytest.mark.parametrize("result", sorted((ROOT / "results/questions").glob("*.json")))
def test_the_table_of_a_question_is_that_of_the_kept_result(result, monkeypatch):
    monkeypatch.syspath_prepend(str(result.parent))
    question = importlib.import_module(result.stem)
    page = (ROOT / "docs" / f"{result.stem}.md").read_text()
    assert "\n".join(question.table(json.loads(result.read_text()))) in page


def test_what_is_said_to_be_tested_is():
    page = (ROOT / "docs/reliability.md").read_text()
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", page))
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_least_versions_are_those_that_are_said():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    told = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", (ROOT / "SECURITY.md").read_text(), re.M)
    assert len(told) == 3
    assert [f"{name}>={least}" for name, least in told if f"{name}>={least}" not in asked] == []
