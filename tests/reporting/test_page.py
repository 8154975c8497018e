"""Every page is read back with a real parser."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from classward.core.errors import InputError
from classward.records.audit_result import Audit
from classward.records.result import Share
from classward.reporting.page import render
from classward.reporting.wording import label

LOADED = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"}
FORBIDDEN = {"link", "iframe", "object", "embed", "base", "form", "foreignobject"}
CONTEXTS = [
    "@", "<script>alert(@)</script>", "</title><b>@", "</style><img src=x onerror=@>",
    '" onload="@', "' autofocus='@", "</svg><svg onload=@>", "--><b>@", "]]><b>@",
    "&lt;@&#60;", "{{ @ }}", "{% raw %}@", "javascript:@", "url(#@)", r"$\frac{1}{@}$",
    "=HYPERLINK(@)", "\x00@", "\x1b[31m@\x1b[0m", "\u202e@\u2066", "\ufeff@\ufffe",
    "\r\n@\t", "e\u0301\u0302@", 2500 * "@@@@", "汉字@", "<g id='axes_@'>",
]  # fmt: skip
HOSTILE = [
    c.replace("@", n) for c in CONTEXTS for n in ("1", "x", "/", "<", '"', ";", "-", "é")
]


class Skeleton(HTMLParser):
    """Elements with their attribute names, what they would load, their ids, and their text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.loads, self.ids, self.text = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, *sorted(name for name, _ in attrs)))
        self.loads += [value for name, value in attrs if name in LOADED]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        self.elements.append(("/", tag))

    def handle_data(self, data):
        self.text.append(data)

    def unseen(self):
        """Characters of the text that nobody would see."""
        return [c for text in self.text for c in text if not c.isprintable() and c != "\n"]


@pytest.fixture(scope="module")
def audit_page(audit_of):
    return render(audit_of())


@pytest.fixture(scope="module")
def told_everywhere(audit_of, examples_of):
    """The page of an audit in which everything but the classes is called by one name."""

    def page(text):
        table = audit_of(classes=2, name=text, data=text).to_dict()
        table["attack_options"] = dict.fromkeys(table["attacks"], text)
        table["versions"] = {text: text}
        for check in table["checks"]:
            check |= {"name": text, "evidence": text}
        for statistic in ("correlation", "mantel"):
            table["analysis"][statistic]["null_name"] = text
        table["analysis"] |= {"attack": text, "weights_reason": text}
        audit, examples = Audit.from_dict(table), examples_of(source=text, target=text)
        return Skeleton(render(audit, examples=examples, title=text))

    return page


@pytest.fixture(scope="module")
def benign_everywhere(told_everywhere):
    return told_everywhere("benign")


def class_rows(page):
    table = page[page.index('<table class="classes">') :]
    return table[: table.index("</table>")].count("<tr>") - 1


def test_there_are_200_hostile_names():
    assert len(set(HOSTILE)) == 200


@pytest.fixture(scope="module")
def pages(every_result, examples_of):
    return {name: render(entry, examples=examples_of()) for name, entry in every_result.items()}


def test_every_page_stands_alone(pages):
    for name, text in pages.items():
        page = Skeleton(text)
        tags = {element[0] for element in page.elements}
        attributes = {attribute for element in page.elements for attribute in element[1:]}
        assert not tags & FORBIDDEN, name
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
        assert all(value.startswith(("#", "data:image/png;base64,")) for value in page.loads)
        assert len(page.ids) == len(set(page.ids)), f"an id is there twice on the {name} page"
        scripts = [element for element in page.elements if element[0] == "script"]
        assert scripts in ([("script",)], [("script", "id", "type"), ("script",)])


def test_the_only_script_that_may_run_is_that_of_the_package(pages):
    for page in pages.values():
        (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'; base-uri 'none'" in page.split("<style>")[0]
        assert "innerHTML" not in script and "eval" not in script and "http" not in script


def test_data_for_the_script_cannot_end_it(audit_of):
    page = render(audit_of(names=["</script><b>", "]]>\u2028", "&", "dog"]))
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert "<" not in data and "&" not in data
    names = json.loads(data)["matrix"]["names"]
    assert names == ["</script><b>", "]]>", "&", "dog"]


def test_the_first_screen_has_the_weakest_class_and_the_pair(audit_of, audit_page):
    audit = audit_of()
    worst = min(audit.per_class, key=lambda entry: entry.robust)
    top = audit_page[: audit_page.index("Can it be trusted")]
    assert f'<p class="value">{worst.name}</p>' in top
    (pair,) = re.findall(r'<p class="value">(class \d) → (class \d)</p>', top)
    first = audit_page[audit_page.index('<table class="flows">') :]
    assert f'<th scope="row">{" → ".join(pair)}</th>' in first.split("</tr>")[1]


def test_every_drawing_has_its_table(audit_page):
    assert audit_page.count("<summary>The figures as a table</summary>") == 3
    table = audit_page[audit_page.index('<table class="matrix">') :].split("</table>")[0]
    assert table.count("<tr>") == 11 and table.count("<td") == 100


def test_every_page_forbids_what_it_does_not_hold(pages):
    for page in pages.values():
        head = page.split("<style>")[0]
        assert 'http-equiv="Content-Security-Policy"' in head
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in head


def test_hostile_names_leave_the_skeleton_as_it_is(audit_of):
    benign = Skeleton(render(audit_of(names=[f"class {i}" for i in range(200)])))
    hostile = Skeleton(render(audit_of(names=HOSTILE)))
    assert hostile.elements == benign.elements
    assert hostile.unseen() == []
    shown = " ".join(" ".join(hostile.text).split())
    assert all(label(name, 48) in shown for name in HOSTILE)


@pytest.mark.parametrize("name", HOSTILE[9::48])
def test_any_other_text_may_be_hostile(told_everywhere, benign_everywhere, name):
    page = told_everywhere(name)
    assert page.elements == benign_everywhere.elements
    assert page.unseen() == []


@pytest.mark.parametrize(("classes", "most"), [(2, 2e5), (30, 5e5), (1000, 1.5e6)])
def test_any_number_of_classes(audit_of, classes, most):
    page = render(audit_of(classes=classes))
    assert class_rows(page) == classes
    assert len(page) < most


def test_every_class_has_its_row(audit_page, audit_of):
    assert class_rows(audit_page) == 10
    for entry in audit_of().per_class:
        table = audit_page[audit_page.index('<table class="classes">') :]
        row = table[table.index(f'<th scope="row">{entry.name}</th>') :]
        assert f"<b>{100 * entry.robust:.1f}%</b>" in row.split("</tr>")[0]


def test_a_class_without_samples_is_undefined_and_named(audit_of):
    page = render(audit_of(classes=4, empty=(3,)))
    table = page[page.index('<table class="classes">') :]
    row = table[table.index('<th scope="row">class 3</th>') :].split("</tr>")[0]
    assert "undefined: no samples" in row and "%" not in row
    assert "Undefined, for want of samples: class 3." in page
    assert ">nan" not in page.lower()


def test_the_number_never_stands_without_the_verdict(audit_of):
    for verdict in ("suspect", "unsound"):
        page = render(audit_of(verdict=verdict, classes=2))
        headline = page[page.index('<p class="headline') :].split("</p>")[0]
        worst = page[page.index('<th scope="row">worst case') :].split("</tr>")[0]
        assert verdict in headline and verdict in worst
        assert f"<dd>{verdict.capitalize()}: " in page


def test_a_bare_analysis_is_unjudged_and_has_no_headline(pages):
    page = pages["Analysis"]
    assert 'class="badge unjudged"' in page
    assert 'class="number"' not in page and "robust accuracy<br>" not in page


def test_verdict_and_sentences_come_first(audit_page):
    marks = ["headline", "How robust", "Can it be trusted", "Which class and pair suffer"]
    marks += ["What next", "finite gradients", "Under each attack", "<svg", "References"]
    places = [audit_page.index(mark, audit_page.index("<body>")) for mark in marks]
    assert places == sorted(places)


def test_adaptive_is_as_prominent_as_gray_box(pages):
    values = pages["CorrectionTable"].split('<p class="value">')[1:]
    assert [value.split("<")[0] for value in values] == ["1.7%", "73.0%", "0.7%"]


def test_correction_without_other_attacks(correction_of):
    table = correction_of().to_dict() | {"gray_box": []}
    assert "no other attack was tried" in render(type(correction_of()).from_dict(table))


def test_the_demo_tells_all_of_it(demo_of, pages):
    demo, page = demo_of(), pages["Demo"]
    assert all(finding in page for finding in demo.findings)
    assert "37.7 s" in page  # all stages
    for heading in ("The attack matrix", "Three attackers", "Correctors against attacks"):
        assert f"<h3>{heading}</h3>" in page


def test_examples_are_embedded_with_their_caption(audit_of, examples_of):
    page = render(audit_of(classes=2), examples=examples_of(channels=3, count=22))
    assert page.count('src="data:image/png;base64,') == 3 * 20
    assert "2 further examples are not shown" in page and "rounded to 8 bit" in page


def test_the_papers_of_what_is_shown_are_named(audit_page, correction_of):
    body, references = audit_page.split("<h2>References</h2>")
    assert "Mei et al." in references and "Madry et al." in references
    assert "Madry et al." not in body
    assert "Correcting logits" in render(correction_of())


def test_equal_results_give_equal_bytes_in_any_style(audit_of, examples_of):
    audit, examples = audit_of(classes=4), examples_of()
    with mpl.rc_context({"font.size": 30, "figure.facecolor": "red", "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        styled = render(audit, examples=examples)
        assert dict(mpl.rcParams) == before, "the caller's style was changed"
    assert render(audit, examples=examples) == styled


def test_the_page_is_written_as_it_is_returned(training_of, tmp_path):
    page = render(training_of(), tmp_path / "page.html", title="Mine")
    assert (tmp_path / "page.html").read_text() == page
    assert "<h1>Mine</h1>" in page


def test_other_results_are_refused():
    with pytest.raises(InputError, match="a Share has no page"):
        render(Share(count=0, total=0, value=None, low=None, high=None))
