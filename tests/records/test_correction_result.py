import pytest

from classward.records.correction_result import CorrectionRow, CorrectionTable
from classward.records.result import Share


def share(count, total):
    value = count / total if total else None
    return Share(count=count, total=total, value=value, low=value, high=value)


def table(clean, clean_selected, rows):
    return CorrectionTable(
        corrector="Corrector()",
        fitted_on=["PGD()"],
        training_samples=100,
        clean=clean,
        clean_corrected=clean,
        clean_selected=clean_selected,
        gray_box=[
            CorrectionRow(attack=a, no_defense=every, gray_box=every, gray_box_selected=some)
            for a, every, some in rows
        ],
        adaptive={"PGD": share(0, 10)},
        adaptive_worst=share(0, 10),
        eps=0.1,
        norm="linf",
    )


def test_label_leak_compares_samples_that_were_wrong_when_clean():
    # Of 20 such samples, correction sets 2 right when clean, 12 under A and 1 under B.
    rows = [("A", share(72, 100), share(60, 80)), ("B", share(61, 100), share(60, 80))]
    leak = table(share(80, 100), share(78, 80), rows).label_leak()
    assert leak == {"A": pytest.approx(0.5), "B": pytest.approx(-0.05)}


def test_label_leak_is_undefined_without_such_samples():
    rows = [("A", share(7, 10), share(7, 10))]
    assert table(share(9, 10), share(9, 10), rows).label_leak() == {"A": None}


def test_rows_show_three_columns():
    rows = [("A", share(7, 10), share(6, 9))]
    assert table(share(9, 10), share(9, 9), rows).rows() == [
        {"attack": "A", "no_defense": 0.7, "gray_box": 0.7, "adaptive": 0.0}
    ]
