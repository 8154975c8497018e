"""Any result as one HTML page that opens offline: no script, no font, no file beside it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classward.core.errors import InputError
from classward.records.analysis_result import Analysis
from classward.records.atomic import atomic_write
from classward.records.audit_result import Audit, ClassAccuracy
from classward.records.comparison_result import Comparison
from classward.records.correction_result import CorrectionTable, TransferTable
from classward.records.correction_study_result import CorrectionStudy
from classward.records.defense_contest_result import DefenseContest
from classward.records.defense_result import DefenseTable
from classward.records.demo_result import Demo
from classward.records.detection_result import DetectionTable
from classward.records.examples import PairExample
from classward.records.explanation_result import Explanation
from classward.records.reproduction_result import Reproduction
from classward.records.result import Result, Share
from classward.reporting import pair_images, wording
from classward.reporting.budget_curve import curve_view
from classward.reporting.busiest import READABLE, block, busiest, off_diagonal
from classward.reporting.chord import chord
from classward.reporting.class_bars import MOST_BARS, class_bars, least_robust
from classward.reporting.comparison import comparison_view
from classward.reporting.correction_study import study_view
from classward.reporting.defense_contest import contest_view
from classward.reporting.explanation import explanation_view
from classward.reporting.figure import svg
from classward.reporting.heatmap import heatmap, pixels
from classward.reporting.references import references
from classward.reporting.reproduction import reproduction_view
from classward.reporting.sentences import (
    failed_first,
    lowest,
    pair_sentence,
    sentences,
    symmetry_sentence,
)
from classward.reporting.similarity import similarity

if TYPE_CHECKING:
    import jinja2

View = dict[str, Any]  # what a template may name
MOST_EXAMPLES = 20


def render(
    result: Result,
    path: str | Path | None = None,
    *,
    examples: Sequence[PairExample] | None = None,
    title: str | None = None,
) -> str:
    """HTML of a saved result; equal results give equal bytes.

    Args:
        result: An audit, an analysis, a comparison, a table of correction, transfer or
            training, or a demo.
        path: Where to write the page as well.
        examples: Images of the maximum symmetry pairs.
        title: Title of the page; by default what the result is of.

    Raises:
        InputError: If `result` is of no kind that has a page.
        SystemFaultError: If `path` cannot be written.
    """
    template, view = _view(result, list(examples or []))
    view |= {"told": sentences(result), "level": 3 if isinstance(result, Demo) else 2}
    if title is not None:
        view["title"] = title
    page = _environment().get_template(template).render(view)
    if path is not None:
        atomic_write(path, page.encode())
    return page


def _view(result: Result, examples: list[PairExample]) -> tuple[str, View]:
    match result:
        case Audit():
            return "audit.html", _audit(result, examples)
        case Analysis():
            return "analysis.html", _bare_analysis(result, examples)
        case CorrectionTable():
            return "correction.html", _correction(result)
        case TransferTable():
            return "transfer.html", {
                "title": "Do correctors transfer between attacks",
                "transfer": result,
                "references": references(["corrector"]),
            }
        case DefenseTable():
            return "training.html", _training(result)
        case Demo():
            return "demo.html", _demo(result, examples)
        case Comparison():
            return "comparison.html", comparison_view(result)
        case DetectionTable():
            return "detection.html", {
                "title": "Can attacked logits be told",
                "detection": result,
                "references": references(["logit_scores", "noise_statistic", "logit_mimicry"]),
            }
        case Explanation():
            return "explanation.html", explanation_view(result)
        case CorrectionStudy():
            return "correction_study.html", study_view(result)
        case DefenseContest():
            return "defense_contest.html", contest_view(result)
        case Reproduction():
            return "reproduction.html", reproduction_view(result)
    raise InputError(
        f"a {type(result).__name__} has no page; audit, analyze, compare, correct or train"
    )


def _audit(audit: Audit, examples: list[PairExample]) -> View:
    analysis = audit.analysis
    others = audit.attack_matrices if len(audit.classes) <= READABLE else {}
    shown = ["analyze", *audit.attack_options.values()]
    return _analysis(analysis, audit.per_class, examples) | {
        "title": f"{audit.model} on {audit.data}",
        "audit": audit,
        "checks": failed_first(audit.checks),
        "curve": None if audit.curve is None else curve_view(audit.curve, audit.eps),
        "references": references([*shown, *_weights(analysis)]),
        "other_matrices": {
            name: svg(heatmap(_array(matrix), audit.classes, []), f"other{n}")
            for n, (name, matrix) in enumerate(others.items())
        },
    }


def _bare_analysis(analysis: Analysis, examples: list[PairExample]) -> View:
    classes = [_accuracy(entry.name, entry.clean, entry.robust) for entry in analysis.per_class]
    shown = ["analyze", analysis.attack, *_weights(analysis)]
    return _analysis(analysis, classes, examples) | {
        "title": "Which class falls to which",
        "references": references(shown),
    }


def _analysis(
    analysis: Analysis, classes: list[ClassAccuracy], examples: list[PairExample]
) -> View:
    return {
        "analysis": analysis,
        "plots": _plots(analysis, classes),
        "classes": list(zip(classes, analysis.per_class, strict=True)),
        "symmetry_told": symmetry_sentence(analysis),
        "pairs_told": pair_sentence(analysis),
        "examples": [
            (example, pair_images.pictures(example), pair_images.gain(example))
            for example in examples[:MOST_EXAMPLES]
        ],
        "hidden_examples": max(0, len(examples) - MOST_EXAMPLES),
    }


def _plots(analysis: Analysis, classes: list[ClassAccuracy]) -> View:
    """The drawings by name; one that would be empty is `None`."""
    matrix, names = _array(analysis.attack_matrix), analysis.classes
    chosen = busiest(matrix)
    part, some = matrix[np.ix_(chosen, chosen)], [names[i] for i in chosen]
    place = {index: n for n, index in enumerate(chosen)}
    pairs = [
        (place[i], place[j])
        for i, j in analysis.maximum_symmetry_pairs
        if i in place and j in place
    ]
    bars = least_robust(classes, MOST_BARS)
    weights = analysis.weight_similarity
    return {
        "shown": len(chosen),
        "pixels": svg(pixels(matrix), "pixels") if len(chosen) < len(names) else None,
        "block": block(len(names)),
        "matrix": svg(heatmap(part, some, pairs), "matrix"),
        "chord": svg(chord(part, some, pairs), "chord") if off_diagonal(part).any() else None,
        "bars": svg(class_bars(bars), "bars") if bars else None,
        "left_out": sum(entry.robust is not None for entry in classes) - len(bars),
        "weights": None
        if weights is None
        else svg(similarity(_array(weights), matrix, names), "weights"),
    }


def _correction(table: CorrectionTable) -> View:
    rows = table.gray_box
    return {
        "title": "Logits correction in three columns",
        "correction": table,
        "lowest_bare": lowest([row.no_defense for row in rows]) if rows else None,
        "lowest_gray": lowest([row.gray_box for row in rows]) if rows else None,
        "references": references(["corrector", *table.adaptive]),
    }


def _training(table: DefenseTable) -> View:
    return {
        "title": "Training defenses compared at equal cost",
        "training": table,
        "columns": list(table.defenses[0].accuracy) if table.defenses else [],
        "references": references(row.options for row in table.defenses),
    }


def _demo(demo: Demo, examples: list[PairExample]) -> View:
    attacks = demo.audit.attack_options.values()
    defenses = [row.options for row in demo.training.defenses]
    shown = ["analyze", "corrector", *attacks, *defenses, *_weights(demo.audit.analysis)]
    view = _correction(demo.correction) | _training(demo.training)
    return (
        view
        | _audit(demo.audit, examples)
        | {
            "title": "The whole story on the embedded digits",
            "demo": demo,
            "transfer": demo.transfer,
            "training_told": sentences(demo.training),
            "correction_told": sentences(demo.correction),
            "references": references(shown),
        }
    )


def _accuracy(name: str, clean: Share, robust: Share) -> ClassAccuracy:
    def interval(entry: Share) -> tuple[float, float] | None:
        return None if entry.low is None or entry.high is None else (entry.low, entry.high)

    return ClassAccuracy(
        name=name,
        samples=clean.total,
        clean=clean.value,
        robust=robust.value,
        clean_interval=interval(clean),
        robust_interval=interval(robust),
    )


def _array(matrix: list[list[float | None]] | list[list[float]]) -> np.ndarray:
    return np.array(matrix, dtype=np.float64)  # None becomes NaN: undefined


def _weights(analysis: Analysis) -> list[str]:
    return [] if analysis.weight_similarity is None else ["weight_similarity"]


@cache
def _environment() -> "jinja2.Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("classward.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in (
            "between", "duration", "label", "number", "p_value", "percent", "points",
            "printable", "share", "words",
        )
    }  # fmt: skip
    environment.globals |= {"radius": wording.radius}
    return environment


def _visible(value: object) -> object:
    """Text from a result without what cannot be seen; markup is ours and stays."""
    ours = hasattr(value, "__html__") or not isinstance(value, str)
    return value if ours else wording.printable(str(value))
