"""References of the methods that a page shows, read from the first lines of their files.

Every method file names its paper in its docstring; it is read as text, so that a report needs
neither the method nor its imports.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

ROOMS = ("attacks", "analysis", "correction", "defenses")


def references(shown: Iterable[str]) -> dict[str, list[str]]:
    """Each paper of the methods in `shown` -> for each of these methods, where in the paper.

    Args:
        shown: Names of files or classes, with or without options: "pgd", "PGD(steps=10)".
    """
    names = {match[0] for text in shown if (match := re.match(r"\w+", text))}
    found: dict[str, list[str]] = {}
    for method, paper in sorted({named for name in names for named in _papers_of(name)}):
        work, where = _work(paper)
        found.setdefault(work, []).append(f"{method}: {where}")
    return dict(sorted(found.items()))


def _papers_of(name: str) -> tuple[tuple[str, str], ...]:
    """Those of "pgd" for "pgd_margin", if there is no method of that name."""
    while name and name not in papers():
        name = name.rpartition("_")[0]
    return papers().get(name, ())


@cache
def papers() -> dict[str, tuple[tuple[str, str], ...]]:
    """Name of each method file and of each class in it -> (method, paper) for its papers."""
    found = {}
    for room in ROOMS:
        for file in resources.files("classward").joinpath(room).iterdir():
            stem = file.name.removesuffix(".py")
            if stem != file.name and not stem.startswith("_"):
                text = file.read_text(encoding="utf-8")
                named = tuple((stem, paper) for paper in _named(text))
                classes = re.findall(r"^class (\w+)", text, re.M)
                found |= dict.fromkeys([stem, *classes], named)
    return found


def _named(text: str) -> list[str]:
    """The paragraphs "Paper: ..." of the docstring at the head of a file."""
    docstring = text.split('"""', 2)[1] if text.startswith('"""') else ""
    blocks = re.findall(
        r"^Papers?: (.+?)(?=\n\s*\n|\n[A-Z][\w ]*: |\Z)", docstring, re.M | re.S
    )
    return [" ".join(block.split()) for block in blocks]


def _work(paper: str) -> tuple[str, str]:
    """Authors and title, and the rest: where it appeared and which equations."""
    match = re.match(r'(.+?, ".+?"),? *(.*)', paper)
    return (match[1], match[2]) if match else (paper, "")
