import pytest

from classward.core.errors import InputError
from classward.experiments import claims as module
from classward.experiments.claims import (
    above,
    ahead,
    cells_of,
    claims,
    decide,
    near,
    significant,
)
from classward.records.reproduction_result import Cell, Reproduction


def cell(value=0.5, low=None, high=None, **more):
    return Cell(row="r", column="c", value=value, low=low, high=high, **more)


def table(name, *cells):
    return Reproduction(
        name=name,
        paper="symmetry",
        label="Table 1",
        title="t",
        section="s",
        setting="n",
        scale="small",
        differs=[],
        measure="m",
        stated="",
        cells=list(cells),
        matrices=[],
        settings={},
        versions={"torch": "2"},
        seconds=1.0,
    )


def at(row, column, value, **more):
    return Cell(row=row, column=column, value=value, **more)


@pytest.mark.parametrize(
    ("p", "word"), [(0.001, "for"), (0.02, "unclear"), (0.3, "against"), (None, "unclear")]
)
def test_significant(p, word):
    assert significant(cell(p=p)) == word


@pytest.mark.parametrize(
    ("value", "p", "word"),
    [
        (0.1, 0.001, "for"),
        (0.1, 0.02, "unclear"),
        (-0.1, 0.02, "against"),
        (-0.1, 0.2, "unclear"),
        (0.1, None, "unclear"),
    ],
)
def test_ahead(value, p, word):
    assert ahead(cell(value, p=p)) == word


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [
        (cell(0.5, 0.4, 0.6), cell(0.3), "for"),
        (cell(0.5, 0.4, 0.6), cell(0.45), "unclear"),
        (cell(0.5, 0.4, 0.6), cell(0.7), "against"),
        (cell(0.5, 0.4, 0.6), cell(0.3, 0.2, 0.45), "unclear"),
        (cell(0.5), cell(0.5), "against"),
        (cell(None), cell(0.5), "unclear"),
    ],
)
def test_above(one, other, word):
    assert above(one, other) == word


def test_near():
    assert near(cell(0.5, 0.4, 0.6, printed=0.59), 0.0) == "for"
    assert near(cell(0.5, 0.4, 0.6, printed=0.65), 0.0) == "against"
    assert near(cell(0.5, 0.4, 0.6, printed=0.65), 0.1) == "for"
    assert near(cell(0.5, 0.4, 0.6), 0.1) == "unclear"


def test_cells_by_pattern():
    results = {"t": table("t", at("A, x", "1", 0.1), at("B, x", "1", 0.2), at("B", "2", 0.3))}
    assert [found.cell.value for found in cells_of("t | *, x | 1", results)] == [0.1, 0.2]
    assert str(cells_of("t | B | 2", results)[0]) == "t, B, 2: 30.0%"
    for wrong in ("t | C | 1", "u | B | 2", "t, B, 2"):
        with pytest.raises(InputError, match=r"claims\.toml"):
            cells_of(wrong, results)


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ({"kind": "above", "cells": ["t | * | 1"], "than": 0.0}, "holds"),
        ({"kind": "above", "cells": ["t | * | 1"], "than": 0.15}, "partly"),
        ({"kind": "below", "cells": ["t | * | 1"], "than": 0.3}, "holds"),
        ({"kind": "above", "cells": ["t | * | 1"], "than": 0.9}, "not here"),
        ({"kind": "above", "cells": ["t | * | 1"], "than": "reference"}, "undecided"),
        ({"kind": "above", "cells": ["t | B | 1"], "than": "t | A | 1"}, "holds"),
        ({"kind": "ordered", "cells": ["t | B | 1", "t | A | 1"]}, "holds"),
        ({"kind": "ordered", "cells": ["t | A | 1", "t | B | 1"]}, "not here"),
        ({"kind": "significant", "cells": ["t | * | 1"]}, "undecided"),
        ({"kind": "same", "cells": ["t | C | w"]}, "holds"),
        ({"kind": "same", "cells": ["t | C | w"], "word": "dog"}, "not here"),
        ({"kind": "above", "cells": ["u | * | 1"], "than": 0.0}, "lacks"),
        (None, "lacks"),
    ],
)
def test_a_claim_is_decided_by_its_test(monkeypatch, test, outcome):
    cells = [
        at("A", "1", 0.1),
        at("B", "1", 0.2),
        Cell(row="C", column="w", unit="text", printed="cat", value="cat"),
    ]
    claim = {"id": "symmetry-1", "section": "s", "says": "it does", "tables": ["t"]}
    claim |= {"lacks": "needs a GPU"} if test is None else {"test": test}
    monkeypatch.setattr(module, "claims", lambda: [claim])
    told = decide({"t": table("t", *cells)}, "small").decisions[0]
    assert told.outcome == outcome
    assert told.asked != ""
    assert bool(told.evidence) == (outcome != "lacks")


def test_an_unknown_test_is_named(monkeypatch):
    claim = {"id": "symmetry-1", "section": "s", "says": "it does", "tables": ["t"]}
    claim["test"] = {"kind": "louder", "cells": ["t | A | 1"]}
    monkeypatch.setattr(module, "claims", lambda: [claim])
    with pytest.raises(InputError, match="symmetry-1 has an unknown test 'louder'"):
        decide({"t": table("t", at("A", "1", 0.1))}, "small")


def test_every_claim_has_a_test_or_says_what_it_lacks():
    for claim in claims():
        assert ("test" in claim) != ("lacks" in claim), claim["id"]
        assert set(claim) <= {"id", "section", "says", "tables", "test", "lacks", "seen"}
        assert "test" in claim or "seen" not in claim, claim["id"]
