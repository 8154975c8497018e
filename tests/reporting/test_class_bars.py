import pytest

from classward.records.audit_result import ClassAccuracy
from classward.reporting.class_bars import least_robust, plot_class_bars


def entry(name, robust):
    return ClassAccuracy(
        name=name,
        samples=0 if robust is None else 9,
        clean=None if robust is None else 0.9,
        robust=robust,
        clean_interval=None if robust is None else (0.8, 0.95),
        robust_interval=None if robust is None else (robust - 0.1, robust + 0.1),
    )


CLASSES = [entry("a", 0.5), entry("b", None), entry("c", 0.2), entry("d", 0.2), entry("e", 0.3)]


def test_the_least_robust_come_first_and_the_undefined_not_at_all():
    assert [e.name for e in least_robust(CLASSES)] == ["c", "d", "e", "a"]
    assert [e.name for e in least_robust(CLASSES, 2)] == ["c", "d"]


def test_bars_are_as_long_as_the_shares_and_whiskers_as_the_intervals():
    axes = plot_class_bars(least_robust(CLASSES))
    clean, robust = axes.containers
    assert [bar.get_width() for bar in clean] == [0.9] * 4
    assert [bar.get_width() for bar in robust] == [0.2, 0.2, 0.3, 0.5]
    assert list(axes.lines[4].get_xdata()) == pytest.approx([0.1, 0.3])


def test_the_first_is_on_top():
    axes = plot_class_bars(least_robust(CLASSES))
    assert axes.yaxis_inverted()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "d", "e", "a"]
