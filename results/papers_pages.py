"""Write docs/claims.md and docs/papers.md from the kept results: `make papers`."""

from pathlib import Path

from classward.experiments.claims import decide
from classward.experiments.paper_table import paper_tables
from classward.records.reproduction_result import Reproduction
from classward.records.saved import load
from classward.reporting.papers import claims_page, papers_page

KEPT = Path(__file__).parent / "papers"
DOCS = KEPT.parents[1] / "docs"


def kept() -> dict[str, Reproduction]:
    """The kept results by name, in the order of the papers."""
    found = {}
    for name in paper_tables():
        file = KEPT / f"{name}.json"
        if file.is_file():
            told = load(file.read_text(), str(file))
            assert isinstance(told, Reproduction)
            found[name] = told
    return found


def pages() -> dict[str, str]:
    """Name of each page -> its text."""
    results = kept()
    return {
        "claims.md": claims_page(decide(results, "small")),
        "papers.md": papers_page([*results.values()]),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
