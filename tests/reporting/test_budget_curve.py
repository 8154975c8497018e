import json

import numpy as np
import pytest

from classward.records.audit_result import Audit
from classward.records.curve_result import Curve
from classward.records.saved import dump, load
from classward.reporting.budget_curve import by_area, curve_sentence, plot_budget_curve
from classward.reporting.figure import ACCENT, HIGHLIGHT
from classward.reporting.page import render


@pytest.fixture
def with_curve(audit_of, curve_of):
    def make(**options):
        audit = audit_of(**options)
        curve = curve_of(names=audit.classes, empty=options.get("empty", ()))
        return Audit.from_dict(audit.to_dict() | {"curve": curve.to_dict()})

    return make


def lines(curve):
    return {line.get_label(): line for line in plot_budget_curve(curve, 0.2).lines}


def test_the_lines_are_the_shares(curve_of):
    curve = curve_of(classes=4)
    drawn = lines(curve)
    assert list(drawn["all samples"].get_ydata()) == curve.accuracy
    assert list(drawn["all samples"].get_xdata()) == curve.radii
    worst, best = drawn["worst: class 0"], drawn["best: class 3"]
    assert list(worst.get_ydata()) == curve.per_class[0]
    assert list(best.get_ydata()) == curve.per_class[3]
    assert (worst.get_color(), best.get_color()) == (HIGHLIGHT, ACCENT)
    assert worst.get_marker() != best.get_marker(), "by shape too, not by colour alone"


def test_the_others_are_one_broken_line(curve_of):
    curve = curve_of(classes=5, empty=(2,))
    grey = np.array(lines(curve)["each class"].get_ydata()).reshape(2, 8)
    assert grey[:, :7].tolist() == [curve.per_class[1], curve.per_class[3]]
    assert np.isnan(grey[:, 7]).all()


def test_the_band_is_the_interval(curve_of):
    curve = curve_of(classes=3)
    (band,) = plot_budget_curve(curve, 0.2).collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
    for place, (low, high) in zip(curve.radii, curve.intervals, strict=True):
        assert {(place, low), (place, high)} <= corners


def test_equal_classes_are_neither_worst_nor_best(curve_of):
    table = curve_of(classes=3).to_dict()
    table |= {"per_class": [table["per_class"][0]] * 3, "class_auc": [0.4] * 3}
    assert set(lines(Curve.from_dict(table))) & {"worst: class 0", "best: class 2"} == set()


def test_classes_are_by_area_and_undefined_ones_left_out(curve_of):
    table = curve_of(classes=4).to_dict() | {"class_auc": [0.5, None, 0.0, 0.5]}
    assert by_area(Curve.from_dict(table)) == [2, 0, 3]


def accuracies(curve, values):
    return Curve.from_dict(curve.to_dict() | {"accuracy": values})


def test_the_sentence_says_where_half_is_gone(curve_of):
    curve = curve_of(eps=8 / 255)
    told = curve_sentence(accuracies(curve, [0.9, 0.8, 0.7, 0.5, 0.45, 0.1, 0.0]))
    assert told.startswith(
        "Half of the accuracy is gone at l-inf 8/255: 45.0% of the samples stay right there, "
        "50.0% at 6/255, and 90.0% without attack."
    )
    assert f"{100 * curve.auc:.1f}%" in told


def test_the_sentence_when_half_is_never_gone_or_there_was_nothing(curve_of):
    told = curve_sentence(accuracies(curve_of(eps=0.2), [0.9] * 6 + [0.46]))
    assert told.startswith("More than half of the accuracy is left at l-inf 0.4: 46.0%.")
    assert "nothing to lose" in curve_sentence(accuracies(curve_of(), [0.0] * 7))


def test_the_page_has_the_curve_where_there_is_one(with_curve, audit_of):
    audit = with_curve(classes=4)
    page, without = render(audit), render(audit_of(classes=4))
    assert "Accuracy against the radius" in page
    assert "Accuracy against the radius" not in without
    assert curve_sentence(audit.curve) in page
    table = page[page.index("Area under the curve of each class") :].split("</table>")[0]
    rows = table.split("<tr")[2:]
    order = [f"class {i}" for i in by_area(audit.curve)]
    assert [row.split('scope="row">')[1].split("<")[0] for row in rows] == [
        *order,
        "all samples",
    ]
    for index, row in zip(by_area(audit.curve), rows, strict=False):
        assert f"<b>{100 * audit.curve.class_auc[index]:.1f}%</b>" in row
        assert all(f">{100 * value:.1f}%<" in row for value in audit.curve.per_class[index])


def test_a_class_without_samples_is_named_below_the_table(with_curve):
    page = render(with_curve(classes=4, empty=(3,)))
    part = page[page.index("Accuracy against the radius") : page.index("The attack matrix")]
    assert "Undefined, for want of samples: class 3." in part
    assert '<th scope="row">class 3</th>' not in part and ">nan" not in part.lower()


def test_a_thousand_classes_are_one_element(with_curve):
    figure = render(with_curve(classes=1000)).split("Accuracy against the radius")[1]
    assert len(figure[: figure.index("</svg>")]) < 150_000


def test_hostile_names_add_no_element(with_curve):
    names = ["<script>alert(1)</script>", "$\\frac{1}{0}$", "</svg><b>", '" onload="x']
    hostile, benign = render(with_curve(names=names)), render(with_curve(classes=4))
    assert hostile.count("<") == benign.count("<")
    assert "<script>alert" not in hostile


def test_a_saved_audit_keeps_its_curve_and_an_old_one_has_none(with_curve):
    audit = with_curve(classes=3)
    assert load(dump(audit), "result.json") == audit
    old = json.loads(dump(audit)) | {"schema": 1}
    del old["curve"], old["sha256"]
    assert load(json.dumps(old), "result.json").curve is None
