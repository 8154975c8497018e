import pytest

from classward.core.errors import InputError
from classward.records.comparison_result import (
    ComparedRun,
    Comparison,
    Difference,
    RunDifference,
)
from classward.records.saved import dump, load


def make_difference(**fields):
    table = {
        "lost": 8, "gained": 1, "total": 20, "reference": 0.8, "other": 0.45,
        "difference": -0.35, "low": -0.55, "high": -0.08, "p": 0.04, "adjusted_p": None,
    }  # fmt: skip
    return Difference(**{**table, **fields})


def make_comparison():
    run = {
        "model": "m", "verdict": "sound", "eps": 0.1, "norm": "linf",
        "attacks": {"pgd": "PGD()"}, "maximum_symmetry_pairs": [],
    }  # fmt: skip
    change = RunDifference(
        name="b",
        clean=make_difference(),
        attacks={"pgd": make_difference()},
        worst_case=make_difference(),
        per_class=[],
        matrix=[[None, None], [0.1, -0.1]],
        flows=[],
        pairs_gained=[(0, 1)],
        pairs_lost=[],
    )
    return Comparison(
        data="digits",
        samples=20,
        classes=["0", "1"],
        tolerance=0.2,
        runs=[ComparedRun(name=name, **run) for name in "ab"],
        differences=[change],
    )


def test_it_is_the_same_when_read_back():
    made = make_comparison()
    assert load(dump(made), "here") == made


def test_a_row_for_each_share_of_all_samples():
    rows = make_comparison().rows()
    assert [(row["run"], row["share"]) for row in rows] == [
        ("b", "clean"), ("b", "pgd"), ("b", "worst case"),
    ]  # fmt: skip
    assert rows[0]["lost"] == 8


def test_an_adjusted_p_decides_where_there_is_one():
    assert make_difference().worse
    assert not make_difference(adjusted_p=0.2).significant
    assert make_difference(lost=1, gained=8).significant
    assert not make_difference(lost=1, gained=8).worse


def test_nan_is_refused():
    table = make_comparison().to_dict()
    table["differences"][0]["clean"]["low"] = float("nan")
    with pytest.raises(InputError, match="differences"):
        Comparison.from_dict(table)
