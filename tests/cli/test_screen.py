"""Progress on standard error, with and without a terminal."""

import re

import pytest

from classward.cli.screen import progress


@pytest.fixture
def clock(monkeypatch):
    """The time it is; what takes time adds to it."""
    now = [100.0]
    monkeypatch.setattr("classward.cli.screen.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("terminal", [False, True])
def test_a_phase_tells_how_far_it_is_and_what_it_took(terminal, monkeypatch, capsys, clock):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with progress() as tell:
        for what, done, total in (("pgd", 0, 10), ("pgd", 4, 10), ("pgd", 10, 10)):
            tell(what, done, total)
            clock[0] += 20
        for done in (0, 1):
            tell("train", done, 1)
            clock[0] += 5
        for done in (7, 7, 0, 7):
            tell("read", done, 7)
            clock[0] += 5
    said = capsys.readouterr().err
    assert "pgd" in said
    if not terminal:
        assert said.splitlines() == [
            "pgd: 4/10, 0.2/s, 30 s left",
            "pgd: 10 in 40.0 s, 0.25/s",
            "train: 1 in 5.0 s",
            "read: kept",
            "read: 7 in 5.0 s, 1.4/s",
        ]


@pytest.mark.parametrize("before", [0, 300])
def test_time_left_is_right_from_the_first_tenth_on(before, capsys, clock):
    """Also where a part was done before, which took no time now, and its parts have names."""
    total, each = 1000, 0.7
    with progress() as tell:
        for done in range(before, total + 1, 10):
            tell(f"trainings: number {done}", done, total)
            clock[0] += 10 * each
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"trainings: 1000 in {(total - before) * each:.1f} s")
    assert len(lines) > 20
    for line in lines[:-1]:
        done, left = (
            int(re.search(what, line)[1]) for what in (r" (\d+)/1000", r"(\d+) s left")
        )
        assert left == pytest.approx((total - done) * each, abs=1)
