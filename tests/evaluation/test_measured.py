import json
import shutil

import pytest

from classward.core.errors import InputError
from classward.evaluation.compare import compare
from classward.evaluation.measured import measured, measured_audit
from classward.records.result import Share
from classward.records.run_folder import RunFolder
from classward.records.sealed import seal, unseal


def test_an_audit_is_read_with_its_samples(audits):
    read = measured(str(audits.bad))
    result = audits.results.bad
    assert (read.verdict, read.model, read.eps, read.norm) == ("sound", "bad", 0.03, "linf")
    assert read.robust.double().mean().item() == result.robust_accuracy
    assert set(read.records) == set(read.attacks) == set(result.attacks)


def test_folders_of_audits_are_compared(audits):
    (change,) = compare(audits.good, audits.bad).differences
    good, bad = audits.results.good, audits.results.bad
    for name, share in change.attacks.items():
        assert (share.reference, share.other) == (good.attacks[name], bad.attacks[name])
    assert change.worst_case.reference == good.robust_accuracy
    assert change.worst_case.other == bad.robust_accuracy
    assert change.worst_case.worse
    classes = [(entry.robust.reference, entry.robust.other) for entry in change.per_class]
    assert classes == [
        (old.robust, new.robust) for old, new in zip(good.per_class, bad.per_class, strict=True)
    ]


def test_one_attack_of_an_audit_is_a_run_too(audits):
    made = compare(audits.good / "fgsm", audits.bad / "fgsm")
    assert {run.verdict for run in made.runs} == {"unjudged"}
    assert made.differences[0].worst_case.other == audits.results.bad.attacks["fgsm"]


def test_an_attack_is_no_audit(audits):
    with pytest.raises(InputError, match="a run of 'attack', expected an audit"):
        measured_audit(audits.good / "pgd")


def test_a_run_of_another_kind(tmp_path):
    with RunFolder.create(tmp_path / "other", "train", {}):
        pass
    with pytest.raises(InputError, match="a run of 'train', expected an audit or an attack"):
        measured(tmp_path / "other")


def test_what_is_no_run_at_all():
    with pytest.raises(InputError, match="cannot compare a Share: give the folder"):
        measured(Share(count=0, total=0, value=None, low=None, high=None))
    with pytest.raises(InputError, match="not a run folder"):
        measured("nowhere")


def test_an_unfinished_audit(audits, tmp_path):
    shutil.copytree(audits.good, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(InputError, match="not complete; finish it with --resume"):
        measured(tmp_path / "run")


def test_a_result_that_is_not_of_these_records(audits, tmp_path):
    shutil.copytree(audits.good, tmp_path / "run")
    path = tmp_path / "run" / "result.json"
    told = unseal(json.loads(path.read_text()), path, needed=True)
    path.write_text(seal(told | {"robust_accuracy": 0.99}))
    with pytest.raises(InputError, match="not the result of the records beside it"):
        measured(tmp_path / "run")
