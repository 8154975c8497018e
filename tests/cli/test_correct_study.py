"""`classward correct study`, end to end on the digits, stopped and gone on with."""

import json
import shutil

import pytest

from classward.records.correction_study_result import CorrectionStudy
from classward.records.record import Record
from classward.records.saved import load

SMALL = (
    "--data", "digits", "--samples", "60", "--train-samples", "100", "--eps", ".2",
    "--adaptive-samples", "20", "--steps", "3", "--set", "epochs=3", "--set", "hidden=16",
    "--set", "deepfool.steps=5", "--set", "carlini_wagner.binary_steps=1",
)  # fmt: skip
ATTACKS = ["pgd", "mim", "deepfool", "carlini_wagner"]


def told(folder):
    return load((folder / "result.json").read_bytes(), "result.json")


def stamps(folder):
    """When each file was written, by its path."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_makes_every_table_and_goes_on(cli, tmp_path):
    asked = ("--model", "mine.py:model", "--transfer-to", "mine.py:shifted", "--ablations")

    def command(*more):
        return cli("correct", "study", *asked, *SMALL, "--out", "s", *more)

    said, folder = command(), tmp_path / "s"
    assert said.code == 0, said.err
    assert "What it recovers" in said.out and "report: s/report.html" in said.err
    study = told(folder)
    assert isinstance(study, CorrectionStudy)
    assert study.transfer.attacks == [*ATTACKS, "clean"]
    assert study.transfer.correctors == [*ATTACKS, "all_four"]
    assert study.transfer_full.samples == 60 > study.transfer.samples > 40
    assert [row.attack for row in study.own] == 4 * ATTACKS
    assert {row.network for row in study.own} == {"mine.py:model", "mine.py:shifted"}
    assert [row.attack for row in study.networks] == ATTACKS
    assert study.detection.attacks == study.supporting.attacks == ATTACKS
    assert list(study.adaptive) == list(study.explanations) == [*ATTACKS, "all_four"]
    assert {table.adaptive_worst.total for table in study.adaptive.values()} == {20}
    assert study.ablations.attack == "pgd" and len(study.ablations.variants) == 14
    assert len(study.rows()) == 16 and CorrectionStudy.from_dict(study.to_dict()) == study
    page = (folder / "report.html").read_text()
    assert "mine.py:shifted" in page and "2 layers, 256 neurons" in page

    before, saved = stamps(folder), (folder / "result.json").read_bytes()
    shutil.rmtree(folder / "test-deepfool")
    fit = ("correct", "fit", "s/train-mim", "--out", "s/mim.safetensors", "--overwrite")
    assert cli(*fit, "--set", "epochs=2").code == 0  # of other options: not taken for ours
    for name in (
        "network-2/pgd.safetensors",
        "adaptive-pgd.json",
        "result.json",
        "report.html",
    ):
        (folder / name).unlink()
    again = command("--resume")
    assert again.code == 0, again.err
    assert (folder / "result.json").read_bytes() == saved
    made = {name for name, when in stamps(folder).items() if before.get(name) != when}
    removed = ("test-deepfool/", "mim.saf", "network-2/pgd.saf", "adaptive-pgd", "re")
    assert all(name.startswith(removed) for name in made), made

    other = command("--resume", "--seed", "1")
    assert other.code == 2 and len(other.err.splitlines()) == 1
    assert (folder / "result.json").read_bytes() == saved


def test_without_weights_a_network_is_trained(cli, tmp_path):
    said = cli("correct", "study", "--model", "small_cnn", *SMALL, "--out", "s", "--json")
    assert said.code == 0, said.err
    study = json.loads(said.out)
    assert study["ablations"] is None and study["networks"] == []
    record = Record.open(tmp_path / "s" / "test-pgd")
    assert record.clean_accuracy > 0.8 and record.settings["eps"] == pytest.approx(0.2)
    first = (tmp_path / "s" / "result.json").read_bytes()
    (tmp_path / "s" / "deepfool-second.safetensors").unlink()
    command = ("correct", "study", "--model", "small_cnn", *SMALL, "--out", "s", "--resume")
    assert cli(*command).code == 0
    assert (tmp_path / "s" / "result.json").read_bytes() == first
