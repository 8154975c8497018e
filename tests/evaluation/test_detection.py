"""Areas, intervals and false alarms against closed forms and chance."""

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.detector import Detector
from classward.evaluation.detection import _deviation, _judged, detection_table
from classward.records.record import Record
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.summary import text_summary


def record(seed=0, count=60, gap=10.0, classes=4, **settings):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    clean = torch.randn(count, classes, generator=generator) + 8 * torch.eye(classes)[labels]
    wrong = (labels + 1) % classes
    attacked = torch.randn(count, classes, generator=generator)
    attacked += (5 + gap) * torch.eye(classes)[wrong]
    return Record.from_arrays(
        labels=labels, clean_logits=clean, adversarial_logits=attacked, settings=settings
    )


class Fixed(Detector):
    """Says what it is told to."""

    def __init__(self, *scores):
        super().__init__()
        self.scores = iter(scores)

    def decision_function(self, logits):
        return np.array(next(self.scores), dtype=float)[: len(logits)]


def test_worked_example():
    """Scores 0 and 1 of clean images against .5 and 2 of attacked ones: three pairs of four."""
    found = _judged(Fixed([0, 1], [0.5, 2]), record(count=2))
    assert found.auroc == 0.75 and (found.clean, found.attacked) == (2, 2)
    assert found.fpr95 == 0.5 and found.aupr == pytest.approx((1 + 2 / 3) / 2)
    tied = _judged(Fixed([1, 1], [1, 1]), record(count=2))
    assert tied.auroc == 0.5 and tied.fpr95 == 1


def test_interval_covers_the_truth():
    """Scores of two normals one deviation apart: the true area is .7602."""
    generator, inside = np.random.default_rng(0), 0
    for _ in range(200):
        clean, attacked = generator.normal(size=60), generator.normal(loc=1, size=60)
        area = (attacked[:, None] > clean[None, :]).mean()
        inside += abs(area - 0.7602) <= 1.96 * _deviation(area, 60, 60)
    assert 180 <= inside <= 199


def test_every_detector_on_every_attack(tmp_path):
    weak, none = record(2, gap=0.0), record(3)
    none = Record.from_arrays(
        labels=none.labels, clean_logits=none.clean_logits, adversarial_logits=none.clean_logits
    )
    seen = {"strong": record(1), "weak": weak, "none <b>": none}
    table = detection_table({"train": record()}, seen)
    assert len(table.detectors) == 9 and table.attacks == [*seen]
    for cell in (cell for row in table.cells[:2] for cell in row):
        assert cell.low <= cell.auroc <= cell.high and 0 <= cell.fpr95 <= 1
    assert table.cells[2] == [None] * 9
    best = dict(zip(table.detectors, table.cells[0], strict=True))
    assert best["largest"].auroc > 0.95 > 0.1 > table.cells[1][1].auroc  # the sign turned
    assert load(dump(table), "result.json") == table
    assert "best by" in text_summary(table) and "margin" in text_summary(table)
    page = render(table, tmp_path / "page.html")
    assert "none &lt;b&gt;" in page and "undefined" in page
    assert table.rows()[2]["lda"] is None


@pytest.mark.parametrize(
    ("fitted", "seen", "said"),
    [
        ({}, {"a": record()}, "records to fit on"),
        ({"a": record()}, {}, "records to judge on"),
        ({"a": record()}, {"b": record(classes=3)}, r"\[3, 4\] classes"),
        ({"a": record()}, {"b": record(until="first_success")}, "stopped at first success"),
    ],
    ids=["no fit", "no test", "classes", "stopped"],
)
def test_refused(fitted, seen, said):
    with pytest.raises(InputError, match=said):
        detection_table(fitted, seen)
