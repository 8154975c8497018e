import pytest

from classward.records.claims_result import Claims, Decision, Headline
from classward.records.reproduction_result import Cell, ClassMatrix, Reproduction
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.papers import claims_page, papers_page
from classward.reporting.reproduction import beside, covers, difference, ours, shown
from classward.reporting.summary import text_summary
from classward.reporting.wording import DASH, MINUS

MATRIX = [[0.2, 0.8, 0.0], [0.7, 0.3, 0.0], [None, None, None]]
CELLS = [
    Cell(row="A", column="0.1", printed=0.5, value=0.6, low=0.45, high=0.7, samples=9),
    Cell(row="A", column="0.2", printed=0.9, value=0.6, reference=0.3, p=0.001),
    Cell(row="B", column="0.1", printed=0.25),
    Cell(row="B", column="pairs", unit="text", value="cat <b>and</b> dog"),
    Cell(row="A minus B", column="0.1", value=0.1, low=-0.05, high=0.25, p=0.2),
]


@pytest.fixture
def told():
    return Reproduction(
        name="symmetry/table1",
        paper="symmetry",
        label="Table 1",
        title="Share of pairs",
        section="Symmetry",
        setting="CIFAR-10",
        scale="small",
        differs=["a small network"],
        measure="symmetry_ratio",
        stated="Nulls are shuffles.",
        cells=CELLS,
        matrices=[
            ClassMatrix(
                title="A", kind="attack", classes=["x", "y", "z"], values=MATRIX, pairs=[(0, 1)]
            ),
            ClassMatrix(
                title="A",
                kind="similarity",
                classes=["x", "y", "z"],
                values=[[1, 0.1, 0], [0.1, 1, -0.2], [0, -0.2, 1]],
                pairs=[],
            ),
        ],
        settings={"asked": {"attack": {"name": "pgd"}}},
        versions={"torch": "2"},
        seconds=3.0,
    )


def test_a_cell_in_words():
    first, second, third, text, lead = CELLS
    assert (shown(first, first.printed), ours(first)) == ("50.0%", f"60.0% (45.0{DASH}70.0%)")
    assert covers(first) and not covers(second)
    assert beside(second) == "reference 30.0%; p = 0.001"
    assert (difference(first), difference(third)) == ("+10.0", "·")
    assert (ours(third), ours(text)) == ("·", "cat <b>and</b> dog")
    assert ours(lead) == f"10.0% ({MINUS}5.0 to +25.0; p = 0.2)"


def test_the_page_has_every_number_and_both_drawings(told):
    page = render(told)
    for text in ("printed 50.0%", "reference 30.0%", "a small network", "Nulls are shuffles"):
        assert text in page
    assert page.count("<svg") == 3  # heat map, chord diagram, similarity
    assert "cat &lt;b&gt;and" in page and "<b>and</b>" not in page
    assert load(dump(told), "x") == told


def test_the_summary_says_what_differs(told):
    said = text_summary(told)
    assert "A small network." in said
    assert "2 numbers can be compared; 1 of 1 printed ones lie in our 95 % intervals" in said


def test_the_pages_of_the_documentation(told):
    page = papers_page([told])
    assert f"| A | 0.1 | 50.0% | 60.0% (45.0{DASH}70.0%) | +10.0 |" in page
    assert "cat &#60;b&#62;and" in page
    decisions = [
        Decision(
            id=f"{paper}-{n}",
            section="Here",
            says=f"claim {n} | of it",
            tables=["symmetry/table1"],
            outcome=outcome,
            asked="p < 0.01",
            evidence=[f"number {k}" for k in range(n)],
            seen=paper == "logits",
        )
        for paper, n, outcome in [("symmetry", 5, "holds"), ("logits", 1, "not here")]
    ]
    claims = Claims(
        scale="small",
        tables={"symmetry/table1": {}},
        decisions=decisions,
        headlines=[Headline(says="Both.", claims=["symmetry-5", "logits-1"])],
    )
    page = claims_page(claims)
    assert "| ● holds | 1 | 0 |" in page and "| ○ not here | 0 | 1 |" in page
    assert "claim 5 &#124; of it | ● holds |" in page
    assert "| ○ not here † |" in page
    assert "**Both.** 1 ● holds, 1 ○ not here. [symmetry-5](#symmetry-5), [logits-1]" in page
    assert "number 2<br>2 more" in page and "number 3" not in page
    assert "2 claims: 1 holds, 0 partly, 1 not here" in text_summary(claims)
    assert load(dump(claims), "x") == claims
