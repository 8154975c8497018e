"""Every table of the logits paper, on one tiny study of the digits."""

from dataclasses import replace

import pytest
import torch

from classward.experiments.kept_study import kept_study
from classward.experiments.measures.own_corrector import length
from classward.experiments.paper_table import named_tables, read_table
from classward.experiments.reproduce import reproduce
from classward.experiments.shelf import Shelf
from classward.records.record import Record
from classward.reporting.page import render

NETWORK = {
    "model": "small_cnn",
    "data": "digits",
    "training_samples": 300,
    "recipe": {"epochs": 4, "batch_size": 20, "validation": 20, "schedule": "one_cycle"},
}
STUDY = {
    "others": ["second"],
    "eps": 0.3,
    "training_samples": "first:60",
    "samples": "first:40",
    "adaptive_samples": 4,
    "steps": 2,
    "attacks": {
        "pgd": {"steps": 5, "step_size": 0.1},
        "mim": {"steps": 5},
        "deepfool": {"steps": 10},
        "carlini_wagner": {"steps": 20, "binary_steps": 2, "step_size": 0.1},
    },
    "corrector": {"hidden": 16, "epochs": 3},
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return Shelf(
        path=tmp_path_factory.mktemp("shelf"),
        scale="small",
        data_root=None,
        seed=0,
        run={"batch_size": 64, "device": "cpu", "precision": "exact"},
        tell=lambda what, done, total: None,
        own={
            "corrected": NETWORK | {"study": STUDY},
            "second": NETWORK | {"model": "small_cnn", "width": 0.5},
        },
    )


@pytest.mark.parametrize("name", named_tables("logits"))
def test_a_table_of_the_logits_paper(shelf, name):
    table = replace(read_table(name, "small"), groups=shelf.own)
    told = reproduce(table, shelf)
    ours = [cell for cell in told.cells if cell.value is not None]
    assert len(ours) >= 3
    for cell in ours:
        if cell.unit == "share" and cell.low is not None and "minus" not in cell.row:
            assert 0 <= cell.low <= cell.value <= cell.high <= 1
    assert render(told).count("<table>") >= 1
    printed = {row: entries for row, entries in table.printed.items() if any(entries)}
    assert printed.keys() <= {cell.row for cell in told.cells}


def test_the_study_is_made_once(shelf):
    told, folder = kept_study(shelf, "corrected")
    (folder / "pgd.safetensors").unlink()
    assert kept_study(shelf, "corrected") == (told, folder)


def test_the_tables_say_what_the_study_says(shelf):
    study, _ = kept_study(shelf, "corrected")
    two, three = (
        reproduce(replace(read_table(f"logits/{name}", "small"), groups=shelf.own), shelf)
        for name in ("table2", "table3")
    )
    for row, attack in {"PGD": "pgd", "C&W": "carlini_wagner"}.items():
        own = next(o for o in study.own if o.attack == attack and o.corrector == attack)
        corrected = two.cell(row, "adversarial corrected")
        assert corrected.value == own.selected.attacked_corrected.value
        assert three.cell(row, row).value == corrected.value


def test_the_mean_length_is_over_images_that_were_right():
    logits = torch.eye(4).repeat(2, 1)
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 0])  # all right but the last
    record = Record.from_arrays(
        labels=labels, clean_logits=logits, adversarial_logits=logits, class_names=list("abcd")
    )
    record = replace(record, l2=torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 1000]))
    cell = length("row", record)
    error = 1.96 * (28 / 6) ** 0.5 / 7**0.5
    assert (cell.value, cell.samples) == (4.0, 7)
    assert (cell.low, cell.high) == pytest.approx((4 - error, 4 + error))
