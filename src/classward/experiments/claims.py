"""What the papers claim, and the tests that decide it from results.

A claim of `papers/claims.toml` names a test and the cells it asks. Each cell speaks for the
claim, against it, or not clearly; the claim holds if all speak for it. Tests:

- `significant`: the statistic is above its null with p < 0.01 (against: p > 0.05).
- `above`, `below`: the interval lies on that side of `than`, which is a number, "reference" or
  another cell, whose interval must then not overlap.
- `ordered`: each cell is above the next, and their intervals do not overlap.
- `ahead`: a difference is above 0 with p < 0.01 (against: below 0 with p < 0.05).
- `near`: the printed number is within `within` of ours, or in our interval.
- `same`: our word is the printed one, or `word`.

Cells are written "symmetry/table1 | VGG-16, PGD | 0.1"; "*" stands for any row or column.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Literal

from classward.core.errors import InputError
from classward.experiments.paper_table import PAPERS, Scale
from classward.records.claims_result import Claims, Decision, Headline, Outcome
from classward.records.reproduction_result import Cell, Reproduction
from classward.reporting.reproduction import ours

SURE, UNSURE = 0.01, 0.05
Word = Literal["for", "against", "unclear"]
Results = Mapping[str, Reproduction]
Asked = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A cell, and the table it is of."""

    table: str
    cell: Cell

    def __str__(self) -> str:
        return f"{self.table}, {self.cell.row}, {self.cell.column}: {ours(self.cell)}"


def claims() -> list[dict[str, Any]]:
    """Every claim, in the order of the texts.

    >>> claims()[0]["id"]
    'symmetry-1'
    """
    return _file()["claim"]


def _file() -> dict[str, Any]:
    return tomllib.loads((PAPERS / "claims.toml").read_text())


def decide(results: Results, scale: Scale) -> Claims:
    """Decide every claim from the results there are.

    Raises:
        InputError: If a test is unknown, or names a cell that a result does not have.
    """
    return Claims(
        scale=scale,
        tables={name: told.versions for name, told in results.items()},
        decisions=[_decided(claim, results) for claim in claims()],
        headlines=[Headline(**told) for told in _file()["headline"]],
    )


def _decided(claim: Asked, results: Results) -> Decision:
    asked, lacks, evidence = claim.get("test"), claim.get("lacks", ""), []
    outcome: Outcome = "lacks"
    if asked is not None:
        named = [address.partition(" | ")[0] for address in (*asked["cells"], *_other(asked))]
        if missing := [name for name in dict.fromkeys(named) if name not in results]:
            lacks = f"no result of {missing[0]}"
        else:
            words, evidence = _asked(claim["id"], asked, results)
            outcome = outcome_of(words)
    return Decision(
        id=claim["id"],
        section=claim["section"],
        says=claim["says"],
        tables=claim["tables"],
        seen=claim.get("seen", False),
        outcome=outcome,
        asked=_in_words(asked) if outcome != "lacks" and asked is not None else lacks,
        evidence=evidence,
    )


def outcome_of(words: Sequence[Word]) -> Outcome:
    """What the cells together say.

    >>> outcome_of(["for", "for"]), outcome_of(["for", "unclear"]), outcome_of(["unclear"])
    ('holds', 'partly', 'undecided')
    """
    if all(word == "for" for word in words):
        return "holds"
    if "for" in words:
        return "partly"
    return "not here" if "against" in words else "undecided"


def _asked(claim: str, asked: Asked, results: Results) -> tuple[list[Word], list[str]]:
    found = [match for address in asked["cells"] for match in cells_of(address, results)]
    if asked["kind"] == "ordered":
        pairs = list(pairwise(found))
        return [above(a.cell, b.cell) for a, b in pairs], [str(entry) for entry in found]
    if asked["kind"] not in ("significant", "above", "below", "ahead", "near", "same"):
        raise InputError(f"claims.toml: {claim} has an unknown test '{asked['kind']}'")
    words: list[Word] = [_word(entry.cell, asked, results) for entry in found]
    beside = [
        Found(address.partition(" | ")[0], _than(found[0].cell, asked, results))
        for address in _other(asked)
    ]
    return words, [*map(str, beside), *map(str, found)]


def _word(cell: Cell, asked: Asked, results: Results) -> Word:
    match asked["kind"]:
        case "significant":
            return significant(cell)
        case "above":
            return above(cell, _than(cell, asked, results))
        case "below":
            return above(_than(cell, asked, results), cell)
        case "ahead":
            return ahead(cell)
        case "near":
            return near(cell, asked.get("within", 0.0))
    return "for" if cell.value == asked.get("word", cell.printed) else "against"


def cells_of(address: str, results: Results) -> list[Found]:
    """The cells of an address, whose row and column may hold "*".

    Raises:
        InputError: If there are none.
    """
    parts = address.split(" | ")
    if len(parts) != 3 or parts[0] not in results:
        raise InputError(f"claims.toml: '{address}' is no cell: TABLE | ROW | COLUMN")
    table, row, column = parts
    found = [
        Found(table, cell)
        for cell in results[table].cells
        if fnmatchcase(cell.row, row) and fnmatchcase(cell.column, column)
    ]
    if not found:
        raise InputError(f"claims.toml: {table} has no cell '{row} | {column}': --again")
    return found


def significant(cell: Cell) -> Word:
    """Whether a statistic is above its null."""
    if cell.p is None:
        return "unclear"
    return "for" if cell.p < SURE else "against" if cell.p > UNSURE else "unclear"


def ahead(cell: Cell) -> Word:
    """Whether a difference is above 0."""
    if cell.p is None or not isinstance(cell.value, float):
        return "unclear"
    if cell.value > 0:
        return "for" if cell.p < SURE else "unclear"
    return "against" if cell.p < UNSURE else "unclear"


def above(one: Cell, other: Cell) -> Word:
    """Whether the interval of one, or else its value, lies above that of the other."""
    (low, high), (floor, ceiling) = _ends(one), _ends(other)
    if low is None or high is None or floor is None or ceiling is None:
        return "unclear"
    if low > ceiling:
        return "for"
    return "against" if high < floor or one.value == other.value else "unclear"


def near(cell: Cell, within: float) -> Word:
    """Whether the printed number is in our interval, or no further than that from ours."""
    low, high = _ends(cell)
    if low is None or high is None or not isinstance(cell.printed, float):
        return "unclear"
    return "for" if low - within <= cell.printed <= high + within else "against"


def _ends(cell: Cell) -> tuple[float | None, float | None]:
    value = cell.value if isinstance(cell.value, float) else None
    return (value, value) if cell.low is None or cell.high is None else (cell.low, cell.high)


def _other(asked: Asked) -> list[str]:
    """The address of the cell that others are compared with, if it is one."""
    than = asked.get("than")
    return [than] if isinstance(than, str) and " | " in than else []


def _than(cell: Cell, asked: Asked, results: Results) -> Cell:
    """What a cell is compared with, as a cell."""
    than = asked["than"]
    if than == "reference":
        return Cell(row=cell.row, column=cell.column, value=cell.reference)
    if _other(asked):
        table, row, column = than.replace("SAME", cell.row, 1).split(" | ")
        return results[table].cell(row, column)
    return Cell(row=cell.row, column=cell.column, value=float(than))


def _in_words(asked: Asked) -> str:
    than = asked.get("than")
    if _other(asked):
        _, row, column = str(than).split(" | ")
        than = f"that of {'the same row' if row == 'SAME' else row}, {column}"
    told = {
        "significant": "above its null, p < 0.01",
        "above": f"interval above {than}",
        "below": f"interval below {than}",
        "ordered": "each above the next, intervals apart",
        "ahead": "difference above 0, p < 0.01",
        "near": f"printed number in our interval or within {asked.get('within', 0.0):g}",
        "same": f"the word is {asked.get('word', 'the printed one')}",
    }
    return told[asked["kind"]]
