import dataclasses

import pytest
import torch

from classward.analysis.paired import difference
from classward.analysis.significance import share
from classward.correction.corrector import Corrector
from classward.evaluation.detection import detection_table
from classward.evaluation.explain import explain
from classward.evaluation.transfer import transfer_table
from classward.records.correction_result import TransferTable
from classward.records.correction_study_result import (
    Ablation,
    Ablations,
    Accuracies,
    CorrectionStudy,
    Foreign,
    NetworkTransfer,
    OwnAttack,
    SupportOverlap,
)
from classward.records.record import Record
from classward.records.result import Statistic
from classward.reporting.correction_study_sentences import study_sentences
from classward.reporting.page import render
from classward.reporting.summary import text_summary

NAMES = ("pgd", "mim")


def attacked(names):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % len(names)
    clean = torch.randn(120, len(names), generator=generator)
    clean[torch.arange(120), labels] += 4
    return Record.from_arrays(
        labels=labels,
        clean_logits=clean,
        adversarial_logits=2 * clean.roll(1, dims=1),
        class_names=names,
        settings={"attack": "Roll()"},
    )


@pytest.fixture(scope="module")
def study_of(correction_of):
    """Make a study of two attacks and one further network, called as is said."""

    def make(name="mine", other="theirs", classes=("a", "b", "c", "d"), **changed):
        record = attacked(list(classes))
        records = dict.fromkeys(NAMES, record)
        corrector = Corrector.small(hidden=8, epochs=2).fit_records([record])
        four = Accuracies(
            clean=share(99, 100),
            clean_corrected=share(88, 100),
            attacked=share(3, 100),
            attacked_corrected=share(71, 100),
        )
        foreign = Foreign(
            bare=share(5, 80), own=share(60, 80), raw=share(0, 80), standardised=share(33, 80)
        )
        transfer = transfer_table(dict.fromkeys(NAMES, corrector), records)
        whole = {
            "model": name,
            "data": "digits test",
            "samples": 120,
            "training_samples": 300,
            "eps": 0.2,
            "norm": "linf",
            "seed": 0,
            "attacks": {"pgd": "PGD(steps=10)", "mim": "MIM(steps=10)"},
            "corrector": repr(corrector),
            "own": [
                OwnAttack(
                    network=network,
                    corrector=attack,
                    attack=attack,
                    full=four,
                    selected=four,
                    recovered=share(70, 96),
                    damaged=share(11, 99),
                )
                for network in (name, other)
                for attack in NAMES
            ],
            "transfer": transfer,
            "transfer_full": transfer,
            "networks": [
                NetworkTransfer(network=other, attack=a, clean=foreign, attacked=foreign)
                for a in NAMES
            ],
            "supporting": SupportOverlap(
                attacks=list(NAMES),
                overlap=[[1.0, 0.9], [0.9, 1.0]],
                correlation=Statistic(
                    value=0.6, null=0.0, p=0.25, null_draws=23, null_name="n"
                ),
            ),
            "explanations": {a: explain(corrector, {a: record}) for a in NAMES},
            "detection": detection_table(records, records),
            "adaptive": dict.fromkeys(NAMES, correction_of()),
            "ablations": Ablations(
                attack="pgd",
                variants=[
                    Ablation(
                        group="layers",
                        name="1 layer",
                        training_samples=300,
                        clean=share(90, 100),
                        attacked=share(40, 100),
                    )
                ],
                second_layer=difference(torch.arange(100) < 40, torch.arange(100) < 70),
            ),
        }
        return CorrectionStudy(**whole | changed)

    return make


def test_the_sentences_say_the_figures(study_of):
    told = study_sentences(study_of())
    assert "pgd 71.0% (without 3.0%), mim 71.0%" in told["What it recovers"]
    assert "88.0% to 88.0% stay right" in told["What it recovers"]
    assert "at most 0.7% of 597 images right" in told["Against whom"]
    assert "0.60, p = 0.25" in told["Do supporting classes tell"]
    assert "two layers recover 70.0%, one 40.0%: +30.0" in told["Does the hidden layer matter"]


def test_transfer_is_between_attacks_alone(study_of):
    counts = [[90, 20], [30, 80], [99, 98]]
    transfer = TransferTable(
        attacks=[*NAMES, "clean"],
        correctors=list(NAMES),
        accuracy=[[share(count, 100) for count in row] for row in counts],
        samples=100,
    )
    told = study_sentences(study_of(transfer=transfer))["Does it transfer"]
    assert "from 20.0% (corrector of mim on pgd) to 30.0% (pgd on mim)" in told


def test_what_was_not_asked_for_is_not_told(study_of):
    study = study_of(ablations=None, networks=[])
    assert "Does the hidden layer matter" not in study_sentences(study)
    page = render(study)
    assert "on other networks" not in page and "owes to its parts" not in page
    assert "on other networks" in render(study_of()) and "owes to its parts" in render(
        study_of()
    )


def test_attacks_that_find_little_are_said(study_of):
    study = study_of()
    assert "Mind" not in study_sentences(study)
    left = dataclasses.replace(study.own[1].selected, attacked=share(60, 100))
    own = [study.own[0], dataclasses.replace(study.own[1], selected=left)]
    told = study_sentences(study_of(own=own))
    assert "needs no correction: mim 60.0% of the selected" in told["Mind"]


def test_an_undefined_correlation_is_said(study_of):
    supporting = dataclasses.replace(study_of().supporting, correlation=None)
    told = study_sentences(study_of(supporting=supporting))
    assert "says nothing of transfer" in told["Do supporting classes tell"]


def test_the_page_shows_every_share_with_its_interval(study_of):
    study = study_of()
    page = render(study)
    for row in study.own:
        entry = row.selected.attacked_corrected
        assert f"<b>71.0%</b><br><small>{100 * entry.low:.1f}" in page
    for heading in ("selected images", "all images", "attacks", "Three attackers", "Settings"):
        assert heading in page
    assert "Correcting logits" in page.split("<h2>References</h2>")[1]


def test_the_summary_fits_the_terminal(study_of):
    lines = text_summary(study_of()).splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    (row,) = [line for line in lines if line.startswith("mim ")]
    assert row.split()[1:] == ["mim", "99.0%", "88.0%", "3.0%", "71.0%", "72.9%", "11.1%"]


def test_hostile_names_stay_text(study_of):
    name = "<script>alert(1)</script>\u202e"
    page = render(study_of(name=name, other=name, classes=[f"{name}{i}" for i in range(4)]))
    assert "<script>alert" not in page and "\u202e" not in page
    assert "&lt;script" in page
