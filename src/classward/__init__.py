"""Class-level adversarial robustness of image classifiers.

Which class falls to which under attack, can that number be trusted, and what can be done? Every
name below is imported when it is first used, so that `import classward` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classward.analysis.analyze import analyze as analyze
    from classward.analysis.running_matrix import AttackMatrix as AttackMatrix
    from classward.core.balls import L2 as L2
    from classward.core.balls import Linf as Linf
    from classward.correction.corrector import Corrector as Corrector
    from classward.data.load import load_data as load_data
    from classward.data.split import Split as Split
    from classward.evaluation.adapters.adapt import adapt as adapt
    from classward.evaluation.adaptive import correction_table as correction_table
    from classward.evaluation.assert_robust import assert_robust as assert_robust
    from classward.evaluation.audit import audit as audit
    from classward.evaluation.compare import compare as compare
    from classward.evaluation.detection import detection_table as detection_table
    from classward.evaluation.explain import explain as explain
    from classward.evaluation.explain_instance import explain_instance as explain_instance
    from classward.evaluation.given_images import judge_images as judge_images
    from classward.evaluation.run_attack import run_attack as run_attack
    from classward.evaluation.run_suite import run_suite as run_suite
    from classward.evaluation.suites import aa_lite as aa_lite
    from classward.evaluation.suites import autoattack as autoattack
    from classward.evaluation.transfer import transfer_table as transfer_table
    from classward.models.corrected import Corrected as Corrected
    from classward.models.load import load_model as load_model
    from classward.records.record import Record as Record
    from classward.records.table_file import write_table as write_table
    from classward.reporting.budget_curve import plot_budget_curve as plot_budget_curve
    from classward.reporting.chord import plot_chord as plot_chord
    from classward.reporting.class_bars import plot_class_bars as plot_class_bars
    from classward.reporting.difference import plot_difference as plot_difference
    from classward.reporting.difference import plot_difference_pixels as plot_difference_pixels
    from classward.reporting.figure import save_plot as save_plot
    from classward.reporting.heatmap import plot_attack_matrix as plot_attack_matrix
    from classward.reporting.heatmap import (
        plot_attack_matrix_pixels as plot_attack_matrix_pixels,
    )
    from classward.reporting.mean_logits import plot_mean_logits as plot_mean_logits
    from classward.reporting.page import render as render
    from classward.reporting.similarity import plot_similarity as plot_similarity
    from classward.reporting.to_mlflow import log_to_mlflow as log_to_mlflow
    from classward.training.schedule import Recipe as Recipe
    from classward.training.train import train as train

_WHERE = {
    "AttackMatrix": "analysis.running_matrix",
    "Corrected": "models.corrected",
    "Corrector": "correction.corrector",
    "L2": "core.balls",
    "Linf": "core.balls",
    "Recipe": "training.schedule",
    "Record": "records.record",
    "Split": "data.split",
    "aa_lite": "evaluation.suites",
    "adapt": "evaluation.adapters.adapt",
    "analyze": "analysis.analyze",
    "assert_robust": "evaluation.assert_robust",
    "audit": "evaluation.audit",
    "compare": "evaluation.compare",
    "autoattack": "evaluation.suites",
    "correction_table": "evaluation.adaptive",
    "detection_table": "evaluation.detection",
    "explain": "evaluation.explain",
    "explain_instance": "evaluation.explain_instance",
    "judge_images": "evaluation.given_images",
    "load_data": "data.load",
    "load_model": "models.load",
    "log_to_mlflow": "reporting.to_mlflow",
    "plot_attack_matrix": "reporting.heatmap",
    "plot_attack_matrix_pixels": "reporting.heatmap",
    "plot_budget_curve": "reporting.budget_curve",
    "plot_chord": "reporting.chord",
    "plot_class_bars": "reporting.class_bars",
    "plot_difference": "reporting.difference",
    "plot_difference_pixels": "reporting.difference",
    "plot_mean_logits": "reporting.mean_logits",
    "plot_similarity": "reporting.similarity",
    "render": "reporting.page",
    "run_attack": "evaluation.run_attack",
    "run_suite": "evaluation.run_suite",
    "save_plot": "reporting.figure",
    "train": "training.train",
    "transfer_table": "evaluation.transfer",
    "write_table": "records.table_file",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'classward' has no attribute {name!r}")
    return getattr(import_module(f"classward.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
