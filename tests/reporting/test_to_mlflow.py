"""What MLflow is given: numbers, settings, the page; a stand-in takes its place."""

import sys
from types import SimpleNamespace

import pytest

import classward
from classward.core.errors import InputError
from classward.reporting.page import render


@pytest.fixture
def mlflow(monkeypatch):
    logged = {}
    fake = SimpleNamespace(
        log_metrics=lambda metrics: logged.update(metrics=metrics),
        log_params=lambda params: logged.update(params=params),
        log_text=lambda text, name: logged.update({name: text}),
        log_dict=lambda table, name: logged.update({name: table}),
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return logged


def test_numbers_are_metrics_and_what_was_asked_are_parameters(mlflow, audit_of):
    audit = audit_of(classes=3, names=["cat", "<b>", "owl"])
    classward.log_to_mlflow(audit)
    metrics, params = mlflow["metrics"], mlflow["params"]
    assert metrics["robust_accuracy"] == audit.robust_accuracy
    assert metrics["analysis/correlation/value"] == audit.analysis.correlation.value
    assert params["eps"] == str(audit.eps) and params["model"] == audit.model
    assert params["verdict"] == audit.verdict and "seed" not in metrics
    assert all(isinstance(value, float) for value in metrics.values())
    assert not metrics.keys() & params.keys()
    assert mlflow["report.html"] == render(audit)
    assert mlflow["result.json"] == audit.to_dict()


def test_without_mlflow_the_extra_is_named(monkeypatch, audit_of):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'classward\[mlflow\]'"):
        classward.log_to_mlflow(audit_of(classes=3))


def test_mlflow_itself_takes_it(tmp_path, audit_of, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    audit = audit_of(classes=3)
    run_of = mlflow.create_experiment("x", artifact_location=(tmp_path / "kept").as_uri())
    with mlflow.start_run(experiment_id=run_of) as run:
        classward.log_to_mlflow(audit)
    kept = mlflow.get_run(run.info.run_id).data
    assert kept.metrics["robust_accuracy"] == audit.robust_accuracy
    assert kept.params["verdict"] == audit.verdict
    assert (tmp_path / "kept" / run.info.run_id / "artifacts" / "report.html").exists()
