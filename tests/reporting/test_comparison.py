from html.parser import HTMLParser

import pytest

from classward.reporting.comparison import comparison_sentences, moved
from classward.reporting.page import render
from classward.reporting.summary import text_summary


class Skeleton(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, *sorted(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text.append(data)


def changed(result, **fields):
    return type(result).from_dict(result.to_dict() | fields)


def test_better_or_worse_is_said_first(comparison_of):
    told = comparison_sentences(comparison_of())
    assert list(told) == ["Better or worse", "Which classes", "Which flows"]
    assert told["Better or worse"].startswith(
        "Under attack runs/b is worse than runs/a: 43.0% of"
    )
    assert "instead of 60.0%" in told["Better or worse"]
    assert "40 lost, 6 gained" in told["Better or worse"]
    assert "class 3 (" in told["Which classes"] and "class 2" not in told["Which classes"]
    assert told["Which flows"].startswith("The largest change is class 1 to class 0,")


@pytest.mark.parametrize(
    ("lost", "gained", "p", "said"),
    [
        (4, 30, 1e-4, "better than"),
        (30, 4, 1e-4, "worse than"),
        (5, 4, 1.0, "not shown to dif"),
    ],
)
def test_a_side_is_taken_only_beyond_chance(comparison_of, lost, gained, p, said):
    comparison = comparison_of()
    table = comparison.to_dict()["differences"][0]
    table["worst_case"] |= {"lost": lost, "gained": gained, "p": p}
    told = comparison_sentences(changed(comparison, differences=[table]))
    assert f"runs/b is {said}" in told["Better or worse"]


def test_runs_of_different_questions_or_verdicts_carry_a_warning(comparison_of):
    comparison = comparison_of()
    first, other = (run.to_dict() for run in comparison.runs)
    different = changed(comparison, runs=[first, other | {"eps": 0.1, "verdict": "suspect"}])
    warning = comparison_sentences(different)["Mind"]
    assert "their eps differ" in warning and "Not every run is sound: suspect." in warning


def test_no_change_is_said(comparison_of):
    comparison = comparison_of(classes=2)
    table = comparison.to_dict()["differences"][0]
    for entry in table["per_class"]:
        entry["robust"] |= {"adjusted_p": 1.0}
    table |= {"flows": [], "matrix": [[0.0, 0.0], [0.0, 0.0]]}
    still = changed(comparison, differences=[table])
    told = comparison_sentences(still)
    assert told["Which flows"] == "No flow between two classes changed."
    assert told["Which classes"].startswith("No class changed beyond chance")
    assert "No flow between two classes changed." in render(still)


def test_classes_without_samples_are_left_out(comparison_of):
    comparison = comparison_of(empty=(3,))
    (change,) = comparison.differences
    assert [entry.name for entry in moved(change)] == ["class 2", "class 1", "class 0"]
    page = render(comparison)
    classes = page[page.index('<table class="classes">') :]
    assert '<th scope="row">class 3</th>' not in classes and ">nan" not in page.lower()


def test_the_page_has_a_part_for_each_run(comparison_of):
    one, two = render(comparison_of()), render(comparison_of(others=2))
    assert one.count("How the attack matrix changed") == 1
    assert two.count("How the attack matrix changed") == 2 and "Run 3: runs/b" in two
    assert one.count("<svg") == 1 and two.count("<svg") == 2


def test_what_is_more_than_chance_is_coloured(comparison_of):
    page = render(comparison_of())
    rows = page.split("<tr")
    (clean,) = [row for row in rows if '<th scope="row">clean</th>' in row]
    (worst,) = [row for row in rows if '<th scope="row">worst case</th>' in row]
    assert "num open" in clean and "num clear" in worst and 'class="total"' in worst


@pytest.mark.parametrize(("classes", "drawings"), [(2, 1), (20, 1), (21, 2), (300, 2)])
def test_many_classes_are_an_image_too(comparison_of, classes, drawings):
    page = render(comparison_of(classes=classes))
    assert page.count("<svg") == drawings
    assert ("whose flows changed most" in page) == (classes > 20)
    assert len(page) < 6e5


def test_hostile_names_leave_the_page_as_it_is(comparison_of):
    hostile = ["</title><script>@", '" onload="@', "{{ @ }}", "</svg><b>", "\u202e@", "$x$"]
    benign = [f"class {i}" for i in range(len(hostile))]
    bad = Skeleton(render(comparison_of(names=hostile, name=hostile[0], data=hostile[1])))
    good = Skeleton(render(comparison_of(names=benign)))
    drawn = {"g", "use", "text"}  # a scale has as many marks as there is room beside the names
    bare = [[e for e in page.elements if e[0] not in drawn] for page in (bad, good)]
    assert bare[0] == bare[1] and set(bad.elements) == set(good.elements)
    assert all(c.isprintable() or c == "\n" for text in bad.text for c in text)


def test_the_summary_has_both_tables(comparison_of):
    lines = text_summary(comparison_of()).splitlines()
    heads = [line for line in lines if "reference" in line and "points" in line]
    assert [head.split("  ")[0] for head in heads] == ["right under", "classes that moved most"]
    (worst,) = [line for line in lines if line.startswith("worst case")]
    assert "60.0%" in worst and "43.0%" in worst and "< 0.0001" in worst
    named = text_summary(comparison_of(others=2))
    assert "run 3, right under" in named
