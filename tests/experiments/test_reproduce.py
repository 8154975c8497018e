from dataclasses import replace

import pytest
import torch

from classward.core.errors import InputError
from classward.core.wilson import wilson
from classward.experiments.paper_table import read_table
from classward.experiments.reproduce import kept_result, reproduce
from classward.experiments.shelf import Shelf
from classward.records.saved import load
from classward.reporting.page import render
from classward.reporting.summary import text_summary

GROUP = """
[scale.small]
differs = ["very little"]
[scale.small.groups.tiny]
model = "small_cnn"
data = "digits"
training_samples = 200
differs = "digits in place of everything"
attack = {name = "pgd", eps = 0.2, steps = 1, step_size = 0.2}
[scale.small.groups.tiny.recipe]
epochs = 3
batch_size = 20
validation = 20
"""
PGD = '{ name = "pgd", eps = 0.2, steps = 2, step_size = 0.1 }'
TABLES = {
    "symmetry_ratio": (
        '["0.05", "0.1"]',
        '"a, PGD" = [50.0, 60.0]\n"never" = [1.0, ""]',
        f"""samples = 100
[asked.rows."a, PGD"]
network = {{group = "tiny"}}
attack = {PGD}
[asked.rows."train"]
network = {{group = "tiny"}}
attack = {PGD}
split = "train"
""",
    ),
    "attack_proportion": (
        '["attack proportion"]',
        '"three" = [44.75]',
        f"""samples = 100
[asked.rows."three"]
network = {{group = "tiny"}}
attack = {PGD}
source = "3"
target = "5"
""",
    ),
    "weight_similarity": (
        "[]",
        "",
        f"""samples = 100
attack = {PGD}
[asked.rows."standard"]
network = {{group = "tiny"}}
""",
    ),
    "accuracy": (
        '["Clean", "PGD"]',
        '"net, Ours" = [90.0, 50.0]\n"net, Standard" = [95.0, 1.0]',
        f"""samples = 50
seeds = [0, 1]
leader = "Ours"
[asked.columns]
Clean = {{}}
PGD = {PGD}
AA = {{ suite = "lite", eps = 0.2, steps = 2, target_classes = 2, queries = 5, samples = 10 }}
[asked.rows."net, Ours"]
network = {{group = "tiny", defense = {{name = "adversarial_training"}}}}
[asked.rows."net, Standard"]
network = {{group = "tiny"}}
""",
    ),
    "pair_stability": (
        "[]",
        "",
        """
[asked.rows."A.T."]
network = {group = "tiny", defense = {name = "adversarial_training"}}
""",
    ),
    "symmetry_pairs": (
        '["first class", "second class"]',
        '"pair 1" = ["3", "9"]',
        f"""samples = 100
network = {{group = "tiny"}}
attack = {PGD}
""",
    ),
}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(
        path=tmp_path / "shelf",
        scale="small",
        data_root=None,
        seed=0,
        run={"batch_size": 64, "device": "cpu", "precision": "exact"},
        tell=lambda what, done, total: None,
    )


@pytest.fixture
def written(tmp_path):
    def write(measure, columns, printed, asked, unit="percent"):
        file = tmp_path / f"{measure}.toml"
        file.write_text(
            f'paper = "symmetry"\nlabel = "Table 1"\ntitle = "A title"\nsection = "Here"\n'
            f'setting = "printed setting"\nunit = "{unit}"\nmeasure = "{measure}"\n'
            f"columns = {columns}\n[printed]\n{printed}\n[asked]\n{asked}{GROUP}"
        )
        return str(file)

    return write


@pytest.mark.parametrize("measure", TABLES)
def test_a_table_is_measured_kept_and_shown(written, shelf, measure):
    unit = "text" if measure == "symmetry_pairs" else "percent"
    name = written(measure, *TABLES[measure], unit=unit)
    told = reproduce(read_table(name, "small"), shelf)
    assert told.differs == ["digits in place of everything", "very little"]
    assert all(cell.value is None or cell.row for cell in told.cells)
    measured = {(cell.row, cell.column): cell for cell in told.cells}
    for row, entries in read_table(name, "small").printed.items():
        for column, printed in zip(told_columns(TABLES[measure][0]), entries, strict=True):
            if printed != "":
                scale = 100 if unit == "percent" else 1
                kept = measured[row, column].printed
                assert kept == (printed if unit == "text" else pytest.approx(printed / scale))
    file = kept_result(shelf.path, name)
    assert load(file.read_text(), str(file)) == told
    page = render(told)
    assert "A title" in page and "digits in place of everything" in page
    assert "printed setting" in text_summary(told)
    again = reproduce(read_table(name, "small"), shelf)
    assert again.cells == told.cells and again.matrices == told.matrices


def told_columns(text):
    return [part.strip(' "') for part in text.strip("[]").split(",") if part.strip()]


def test_symmetry_beside_its_null_and_the_first_row(written, shelf):
    name = written("symmetry_ratio", *TABLES["symmetry_ratio"])
    told = reproduce(read_table(name, "small"), shelf)
    ratio = told.cell("a, PGD", "0.1")
    assert 0 <= ratio.value <= 1 and ratio.printed == 0.6 and 0 < ratio.p <= 1
    assert told.cell("never", "0.05").value is None
    with pytest.raises(InputError, match="no cell 'never', '0.1'"):
        told.cell("never", "0.1")  # nothing is printed there, nothing is measured
    assert -1 <= told.cell("train", "order as in first row").value <= 1
    assert [(m.title, m.kind) for m in told.matrices] == [
        ("a, PGD", "attack"),
        ("a, PGD", "similarity"),
        ("train", "attack"),
        ("train", "similarity"),
    ]


def test_accuracies_and_what_ours_leads_by(written, shelf):
    told = reproduce(read_table(written("accuracy", *TABLES["accuracy"]), "small"), shelf)
    ours, standard = (told.cell(f"net, {name}", "PGD") for name in ("Ours", "Standard"))
    lead = told.cell("net, Ours minus net, Standard", "PGD")
    assert lead.value == pytest.approx(ours.value - standard.value)
    assert lead.low <= lead.value <= lead.high
    assert told.cell("net, Ours", "AA").samples == 10
    assert told.cell("net, Ours", "Clean").value >= ours.value


@pytest.mark.parametrize("other", [5, 9])
def test_alike_seeds_are_no_surer_than_their_samples(written, shelf, monkeypatch, other):
    stood = {0: 5, 1: other}

    def right(_shelf, network, _attack, *, samples):
        return torch.arange(10) < stood[network["seed"]]

    monkeypatch.setattr(Shelf, "right", right)
    monkeypatch.setattr("classward.experiments.reproduce.train_side_by_side", lambda *_: None)
    told = reproduce(read_table(written("accuracy", *TABLES["accuracy"]), "small"), shelf)
    cell = told.cell("net, Ours", "PGD")
    low, high = wilson((5 + other) // 2, 10)
    assert cell.value == (5 + other) / 20
    if other == 5:
        assert (cell.low, cell.high) == (low, high)
    else:  # two seeds this far apart say next to nothing
        assert (cell.low, cell.high) == (0, 1)


@pytest.mark.parametrize(
    ("measure", "asked", "said"),
    [
        ("absent", "samples = 1", "no measure 'absent'"),
        ("os.system", "samples = 1", "no measure 'os.system'"),
        ("symmetry_ratio", "samples = 1", "scale small has no rows"),
        ("accuracy", '[asked.rows.a]\nnetwork = {group = "tiny"}', "lacks 'columns'"),
    ],
)
def test_a_table_that_asks_for_what_is_not(written, shelf, measure, asked, said):
    name = written(measure, "[]", "", asked)
    with pytest.raises(InputError, match=said):
        reproduce(read_table(name, "small"), shelf)


@pytest.mark.parametrize("calls", [1, 7, 30])
def test_a_stopped_run_goes_on_to_the_same_numbers(written, shelf, tmp_path, calls):
    name = written("accuracy", *TABLES["accuracy"])
    left = iter(range(calls))

    def stop(what, done, total):
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(read_table(name, "small"), replace(shelf, tell=stop))
    assert not kept_result(shelf.path, name).exists()
    told = reproduce(read_table(name, "small"), shelf)
    whole = reproduce(read_table(name, "small"), replace(shelf, path=tmp_path / "other"))
    assert told.cells == whole.cells
