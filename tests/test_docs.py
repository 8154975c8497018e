"""The pages: every public name has its entry, every link between pages leads somewhere."""

import importlib.util
import json
import re
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


def test_the_page_of_broken_defenses_is_that_of_the_kept_result():
    spec = importlib.util.spec_from_file_location(
        "bench", ROOT / "benchmarks/broken_defenses.py"
    )
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert bench.PAGE.read_text() == bench.page(json.loads(bench.RESULT.read_text()))
