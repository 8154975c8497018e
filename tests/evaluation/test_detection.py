"""Areas, intervals and false alarms against closed forms and chance."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.data.split import Split
from classward.evaluation.detection import (
    _deviation,
    compared,
    detection_table,
    noise_statistic,
    samples_of,
)
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


def test_worked_example():
    """Scores 0 and 1 of clean images against .5 and 2 of attacked ones: three pairs of four."""
    found = compared(np.array([0.0, 1]), np.array([0.5, 2]))
    assert found.auroc == 0.75 and (found.clean, found.attacked) == (2, 2)
    assert found.fpr95 == 0.5 and found.aupr == pytest.approx((1 + 2 / 3) / 2)
    tied = compared(np.ones(2), np.ones(2))
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
    assert len(table.detectors) == 10 and table.attacks == [*seen]
    for cell in (cell for row in table.cells[:2] for cell in row):
        assert cell.low <= cell.auroc <= cell.high and 0 <= cell.fpr95 <= 1
    assert table.cells[2] == [None] * 10
    best = dict(zip(table.detectors, table.cells[0], strict=True))
    assert best["largest"].auroc > 0.95 > 0.1 > table.cells[1][1].auroc  # the sign turned
    assert load(dump(table), "result.json") == table
    assert "best by" in text_summary(table) and "margin" in text_summary(table)
    page = render(table, tmp_path / "page.html")
    assert "none &lt;b&gt;" in page and "undefined" in page
    assert table.rows()[2]["lda"] is None


def test_those_that_compare_with_a_corrector():
    made = Corrector.small(hidden=32, epochs=200).fit_records([record()])
    table = detection_table({"train": record()}, {"a": record(1)}, corrector=made)
    areas = dict(zip(table.detectors, table.cells[0], strict=True))
    assert areas["overruled"].auroc > 0.9 and areas["moved"].auroc != areas["overruled"].auroc


def pictures(count=40):
    labels = torch.arange(count) % 4
    images = 0.2 + 0.6 * torch.eye(4)[labels].view(count, 1, 2, 2)
    return Split(images, labels)


def model(images):
    return 10 * images.flatten(1)


def test_the_noise_statistic_needs_images():
    data, seen = pictures(), record(count=40)
    noise = noise_statistic(model, data, draws=4)
    plain = detection_table({"train": record()}, {"a": seen}, noise=noise, data=data)
    assert plain.detectors[-1] == "noise" and plain.cells[0][-1] is None
    kept = replace(seen, images=data.batch(torch.arange(40)).flip(3))
    table = detection_table({"train": record()}, {"a": kept}, noise=noise, data=data)
    assert table.cells[0][-1].clean == 40 and 0 <= table.cells[0][-1].auroc <= 1
    with pytest.raises(InputError, match="give data"):
        detection_table({"train": record()}, {"a": kept}, noise=noise)


def test_the_images_of_a_record_come_in_its_order():
    data = pictures().select(torch.arange(39, -1, -1))
    assert samples_of(record(count=40), data).ids.tolist() == list(range(40))
    with pytest.raises(InputError, match="has no sample 40"):
        samples_of(record(count=60), data)
    with pytest.raises(InputError, match="other labels"):
        samples_of(record(count=40, classes=3), data)


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
