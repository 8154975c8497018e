"""The pages: every public name has its entry, every link between pages leads somewhere."""

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
