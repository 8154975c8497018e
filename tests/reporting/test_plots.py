"""What all plots have in common: whose axes they draw on, and how they are saved."""

import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import classward
from classward.core.errors import InputError
from classward.records.explanation_result import MeanLogits
from classward.reporting.figure import svg

MATRIX = [[0.5, 0.4, 0.1], [0.3, 0.6, 0.1], [None, None, None]]
NAMES = ["cat", "dog", "owl"]
MEANS = MeanLogits(edges=[-1.0, 0.0, 2.0], clean=[4, 1], attacked=[2, 3])
ARGUMENTS = {
    "plot_attack_matrix": lambda audit, curve: (MATRIX, NAMES, [(0, 1)]),
    "plot_attack_matrix_pixels": lambda audit, curve: (MATRIX,),
    "plot_budget_curve": lambda audit, curve: (curve, 0.2),
    "plot_chord": lambda audit, curve: (MATRIX, NAMES, [(0, 1)]),
    "plot_class_bars": lambda audit, curve: (audit.per_class,),
    "plot_difference": lambda audit, curve: (MATRIX, NAMES),
    "plot_difference_pixels": lambda audit, curve: (MATRIX,),
    "plot_mean_logits": lambda audit, curve: (MEANS,),
    "plot_similarity": lambda audit, curve: (np.eye(3).tolist(), NAMES),
}


@pytest.fixture(params=sorted(name for name in classward._WHERE if name.startswith("plot_")))
def plot(request, audit_of, curve_of):
    """One of the plots, to be called with the axes alone."""
    arguments = ARGUMENTS[request.param](audit_of(classes=3, empty=(1,)), curve_of(classes=3))
    drawn = getattr(classward, request.param)
    made = lambda **options: drawn(*arguments, **options)  # noqa: E731
    made.polar = request.param == "plot_chord"
    return made


def test_it_draws_on_the_axes_that_are_given_and_leaves_the_others_alone(plot):
    kind = {"projection": "polar"} if plot.polar else {}
    left, right = Figure(layout="constrained").subplots(1, 2, subplot_kw=kind)
    assert plot(ax=left) is left
    assert left.has_data() or left.patches
    assert not right.has_data() and not right.patches and not left.figure.legends
    svg(left, "x")


def test_without_it_makes_axes_of_a_new_figure_that_are_equal_each_time(plot):
    first, second = plot(), plot()
    assert first.figure is not second.figure
    assert svg(first, "x") == svg(second.figure, "x")


def test_a_chord_diagram_needs_polar_axes():
    with pytest.raises(InputError, match='projection="polar", not rectilinear'):
        classward.plot_chord(MATRIX, ax=Figure().add_subplot())


def test_a_matrix_may_be_of_a_result_an_array_or_a_tensor():
    array = np.array(MATRIX, dtype=float)
    drawn = [
        svg(classward.plot_attack_matrix(values, NAMES), "x")
        for values in (MATRIX, array, torch.tensor(array))
    ]
    assert drawn[0] == drawn[1] == drawn[2]
    names = classward.plot_attack_matrix(MATRIX).get_yticklabels()
    assert [name.get_text() for name in names] == ["0", "1", "2"]


def test_saved_plots_hold_their_letters_and_no_date(tmp_path):
    saved = {}
    for name in ("a.pdf", "a.svg", "a.png", "b.pdf", "b.svg", "b.png"):
        classward.save_plot(classward.plot_attack_matrix(MATRIX, NAMES), tmp_path / name)
        saved[name] = (tmp_path / name).read_bytes()
    assert all(saved[f"a.{kind}"] == saved[f"b.{kind}"] for kind in ("pdf", "svg", "png"))
    assert b"/Type42" in saved["a.pdf"] or b"/FontFile2" in saved["a.pdf"]
    assert b"/Type3" not in saved["a.pdf"] and b"CreationDate" not in saved["a.pdf"]
    assert not re.search(rb"<text|<dc:date", saved["a.svg"]), "letters are outlines"
    assert saved["a.png"].startswith(b"\x89PNG")


def test_what_is_no_picture_is_refused(tmp_path):
    ax = classward.plot_attack_matrix(MATRIX)
    with pytest.raises(InputError, match=r"is saved as \.pdf, \.png, \.svg"):
        classward.save_plot(ax, tmp_path / "matrix.txt")
