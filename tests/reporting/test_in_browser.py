"""Pages in a real Chromium, driven over its debugging pipe with the standard library alone."""

import json
import os
import select
import shutil
import signal
import subprocess
import time

import pytest

from classward.reporting.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 60.0  # seconds for one answer
FAILURES = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


class Browser:
    """One tab, offline, with what it complained of since the last page was opened."""

    def __init__(self, home):
        self.number, self.session, self.told, self.kept = 0, None, [], b""
        ask, self.into = os.pipe()
        self.out, answer = os.pipe()
        self.process = self._start(home, ask, answer)
        os.close(ask)
        os.close(answer)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _start(self, home, ask, answer):
        command = f'exec "$0" "$@" 3<&{ask} 4>&{answer}'
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        return subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *flags, f"--user-data-dir={home}", "about:blank"],
            pass_fds=(ask, answer),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self.into, left) :]
        while (answer := self._read()).get("id") != self.number:
            self.told.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        while b"\0" not in self.kept:
            assert select.select([self.out], [], [], PATIENCE)[0], "Chromium does not answer"
            chunk = os.read(self.out, 2**16)
            assert chunk, "Chromium is gone"
            self.kept += chunk
        message, self.kept = self.kept.split(b"\0", 1)
        return json.loads(message)

    def open(self, path, width=1280, theme="light", script=True):
        self.told = []
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        self.call("Page.navigate", url=path.as_uri())
        while not any(entry.get("method") == "Page.loadEventFired" for entry in self.told):
            self.told.append(self._read())

    def ask(self, expression):
        """Value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def texts(self, selector):
        return self.ask(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")

    def point(self, selector, press=False):
        """Move the mouse there, and press it."""
        rect = f"document.querySelector('{selector}')"
        self.ask(f"{rect}.scrollIntoView({{block: 'center'}})")
        x, y = self.ask(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])({rect}.getBoundingClientRect())"
        )
        kinds = ["mouseMoved"] + ["mousePressed", "mouseReleased"] * press
        for kind in kinds:
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def type(self, key, text=None):
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **extra)

    @property
    def complaints(self):
        return [entry for entry in self.told if entry.get("method") in FAILURES]

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        os.close(self.into)
        os.close(self.out)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = Browser(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def page(audit_of, examples_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "audit.html"
    render(audit_of(empty=(4,)), path, examples=examples_of(channels=3))
    return path


@pytest.fixture(scope="module")
def large(audit_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "large.html"
    render(audit_of(classes=1000), path)
    return path


CELL = '[data-matrix="matrix"] [role="row"]:nth-child({}) [role="gridcell"]:nth-child({})'


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_opens_without_a_complaint_and_fits(browser, page, width, theme):
    browser.open(page, width, theme)
    assert browser.complaints == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    asked = [e for e in browser.told if e.get("method") == "Network.requestWillBeSent"]
    addresses = {entry["params"]["request"]["url"].split(":")[0] for entry in asked}
    assert addresses <= {"file", "data"}


def test_every_kind_of_page_opens_without_a_complaint(browser, every_result, tmp_path):
    for name, result in every_result.items():
        render(result, tmp_path / "page.html")
        browser.open(tmp_path / "page.html")
        assert browser.complaints == [], name


def test_a_cell_under_the_mouse_tells_its_figures(browser, page, audit_of):
    browser.open(page)
    analysis = audit_of(empty=(4,)).analysis
    browser.point(CELL.format(4, 1))
    (told,) = browser.texts(".tip")
    assert told.startswith("class 3 → class 0")
    assert f"{analysis.counts[3][0]} of 60 samples: " in told
    assert f"{100 * analysis.attack_matrix[3][0]:.1f}% (" in told
    browser.point(CELL.format(5, 1))
    assert "undefined: no samples" in browser.texts(".tip")[0]
    browser.type("Escape")
    assert browser.ask("document.querySelector('.tip').hidden")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_cells_lie_on_the_drawn_ones(browser, page, width):
    """The number drawn in a cell of the diagonal stands in the middle of its cell."""
    browser.open(page, width)
    away = browser.ask(
        """(() => {
          const figure = document.querySelector('[data-matrix="matrix"]');
          const cells = [...figure.querySelectorAll('[role="gridcell"]')];
          const k = Math.sqrt(cells.length);
          const drawn = [...figure.querySelectorAll('svg text')].map((text) => {
            const r = text.getBoundingClientRect();
            return [text.textContent, r.x + r.width / 2, r.y + r.height / 2];
          });
          return Math.max(...[0, 1, 9].map((i) => {
            const cell = cells[i * k + i];
            const r = cell.getBoundingClientRect();
            const share = cell.ariaLabel.match(/([\\d.]+)%/)[1];
            const near = drawn.filter(([text, x, y]) => Math.round(share) == text
              && x > r.left && x < r.right && y > r.top && y < r.bottom);
            return near.length === 1 ? Math.abs(near[0][1] - r.x - r.width / 2) / r.width : 9;
          }));
        })()"""
    )
    assert away < 0.15


def test_a_pressed_cell_shows_its_images_or_says_there_are_none(browser, page):
    browser.open(page)
    browser.point(CELL.format(4, 10), press=True)
    assert browser.ask("document.querySelector('dialog').open")
    assert browser.texts("dialog h2") == ["class 3 → class 9"]
    assert len(browser.texts("dialog img")) == 3 * 2
    browser.point("dialog button", press=True)
    assert not browser.ask("document.querySelector('dialog').open")
    browser.point(CELL.format(1, 2), press=True)
    assert browser.texts("dialog img") == []
    assert "There is no example image of this pair" in browser.texts("dialog")[0]
    assert "The other way, class 1 → class 0: " in browser.texts("dialog")[0]


def test_the_matrix_is_one_stop_and_the_arrows_move_in_it(browser, page):
    browser.open(page)
    stops = 'document.querySelectorAll(\'[data-matrix="matrix"] [tabindex="0"]\')'
    assert browser.ask(f"{stops}.length") == 1
    browser.ask(f"{stops}[0].focus()")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp"):
        browser.type(key)
    assert browser.ask("document.activeElement.ariaLabel").startswith("class 0 → class 2: ")
    assert browser.ask(f"{stops}.length") == 1
    assert browser.texts(".tip")[0].startswith("class 0 → class 2")
    browser.type("Enter", "\r")
    assert browser.texts("dialog h2") == ["class 0 → class 2"]
    browser.ask("document.querySelector('dialog').close()")
    assert browser.ask("document.activeElement.ariaLabel").startswith("class 0 → class 2: ")


def test_tables_sort_by_any_column_and_undefined_comes_last(browser, page):
    browser.open(page)
    names = "table.classes tbody th"
    for clicks, upwards in ((1, False), (2, True), (3, False)):
        browser.point("table.classes th:nth-child(5) button", press=True)
        robust = [float(text[:4]) for text in browser.texts("table.classes td:nth-child(5) b")]
        assert robust == sorted(robust, reverse=not upwards) and len(robust) == 9, clicks
        assert browser.texts(names)[-1] == "class 4"
        (state,) = browser.ask(
            "[...document.querySelectorAll('table.classes [aria-sort]')].map(e => e.ariaSort)"
        )
        assert state == ("ascending" if upwards else "descending")
    browser.point("table.classes th:nth-child(2) button", press=True)
    assert browser.texts(names) == [f"class {i}" for i in range(10)]


def test_a_thousand_classes_are_sorted_and_filtered(browser, large):
    browser.open(large)
    browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    box = "[...document.querySelectorAll('input')].at(-1)"
    typed = f"{box}.value = 'CLASS 99'; {box}.dispatchEvent(new Event('input'))"
    begun = time.monotonic()
    browser.ask(typed)
    browser.point("table.classes th:nth-child(5) button", press=True)
    assert time.monotonic() - begun < 10
    shown = browser.texts("table.classes tbody tr:not([hidden]) th")
    assert set(shown) == {f"class {n}" for n in range(1000) if "99" in str(n)}
    assert browser.texts('[role="status"]')[-2] == "19 of 1000 classes"
    browser.ask(typed.replace("CLASS 99", ""))
    assert len(browser.texts("table.classes tbody tr:not([hidden])")) == 1000


def test_pairs_are_found_by_both_names(browser, large):
    browser.open(large)
    first = browser.texts("table.flows tbody th")[7]
    one, other = first.split(" → ")
    box = "document.querySelector('input')"
    browser.ask(f"{box}.value = '{other} {one}'; {box}.dispatchEvent(new Event('input'))")
    assert first in browser.texts("table.flows tbody tr:not([hidden]) th")
    assert len(browser.texts("table.flows tbody tr:not([hidden]) th")) < 20


def test_bibtex_is_copied_or_selected(browser, page):
    browser.open(page)
    browser.ask("document.querySelector('details.bibtex').open = true")
    browser.point("details.bibtex button", press=True)
    assert browser.ask("getSelection().toString()").startswith("@misc{")


def test_all_of_it_can_be_read_without_the_script(browser, page):
    browser.open(page, script=False)
    assert browser.complaints == []
    root = browser.call("DOM.getDocument", depth=-1)["root"]
    text = browser.call("DOM.getOuterHTML", nodeId=root["nodeId"])["outerHTML"]
    assert 'class="cells"' not in text and "<input" not in text and "<dialog" not in text
    for told in ("Weakest class", "Pair to worry about", "The figures as a table", "@misc{"):
        assert told in text
    assert 'hidden=""' not in text


def test_another_script_is_refused(browser, page, tmp_path):
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text().replace('"use strict";', '"use strict"; '))
    browser.open(changed)
    assert any("Content Security Policy" in str(entry) for entry in browser.complaints)
    assert browser.texts('[role="gridcell"]') == []
