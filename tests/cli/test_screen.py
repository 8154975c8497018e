"""Progress on standard error, with and without a terminal."""

import pytest

from classward.cli.screen import progress


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stage_may_be_announced_before_any_of_it_is_done(terminal, monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr("classward.cli.screen.time.monotonic", lambda: float(next(clock)))
    with progress() as tell:
        tell("pgd", 0, 10)
        tell("pgd", 4, 10)
        tell("pgd", 10, 10)
        tell("train", 0, 1)
        tell("train", 1, 1)
    said = capsys.readouterr().err
    assert "pgd" in said
    if not terminal:
        assert said.splitlines() == ["pgd: 10/10, 1/s", "train: 5.0 s"]
