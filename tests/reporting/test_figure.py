from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from classward.reporting.class_bars import plot_class_bars
from classward.reporting.figure import drawing, svg


def test_the_style_is_ours_only_while_drawing():
    before = dict(mpl.rcParams)
    with drawing():
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert dict(mpl.rcParams) == before


def test_no_figure_is_registered_with_pyplot(audit_of):
    from matplotlib import pyplot as plt

    svg(plot_class_bars(audit_of().per_class), "x")
    assert plt.get_fignums() == []


def test_svg_has_no_date_and_depends_on_numbers_alone(audit_of):
    first, second = (svg(plot_class_bars(audit_of().per_class), "x") for _ in range(2))
    assert first == second and "<metadata" not in first
    ElementTree.fromstring(first)


def test_two_drawings_share_no_identifier():
    figure = Figure()
    figure.add_subplot().plot(np.arange(3), marker="o")
    ids = [
        {element.get("id") for element in ElementTree.fromstring(svg(figure, salt)).iter()}
        for salt in ("a", "b")
    ]
    assert ids[0] & ids[1] == {None}


def test_any_script_is_drawn_without_a_warning(audit_of, recwarn):
    audit = audit_of(names=["猫", "कुत्ता"])
    assert "猫" in svg(plot_class_bars(audit.per_class), "x")
    assert not recwarn.list
