"""Any result as one HTML page that opens offline: no font and no file beside it.

Everything can be read without its one script, which sorts, filters and points; the policy of
the page allows that script by its digest and no other.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from classward.core.errors import InputError
from classward.records.analysis_result import Analysis
from classward.records.atomic import atomic_write
from classward.records.audit_result import Audit
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
from classward.records.result import Result
from classward.reporting import wording
from classward.reporting.analysis_view import audit_view, bare_analysis_view, weights_of
from classward.reporting.bibtex import bibtex
from classward.reporting.comparison import comparison_view
from classward.reporting.correction_study import study_view
from classward.reporting.defense_contest import contest_view
from classward.reporting.explanation import explanation_view
from classward.reporting.references import references
from classward.reporting.reproduction import reproduction_view
from classward.reporting.sentences import (
    lowest,
    sentences,
)

if TYPE_CHECKING:
    import jinja2

View = dict[str, Any]  # what a template may name


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
    view.setdefault("script_data", {})
    view |= {"told": sentences(result), "level": 3 if isinstance(result, Demo) else 2}
    view |= {"bibtex": escape(bibtex(view["references"])), **_script()}
    if title is not None:
        view["title"] = title
    page = _environment().get_template(template).render(view)
    if path is not None:
        atomic_write(path, page.encode())
    return page


def _view(result: Result, examples: list[PairExample]) -> tuple[str, View]:
    match result:
        case Audit():
            return "audit.html", audit_view(result, examples)
        case Analysis():
            return "analysis.html", bare_analysis_view(result, examples)
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
    shown = ["analyze", "corrector", *attacks, *defenses, *weights_of(demo.audit.analysis)]
    view = _correction(demo.correction) | _training(demo.training)
    return (
        view
        | audit_view(demo.audit, examples)
        | {
            "title": "The whole story on the embedded digits",
            "demo": demo,
            "transfer": demo.transfer,
            "training_told": sentences(demo.training),
            "correction_told": sentences(demo.correction),
            "references": references(shown),
        }
    )


@cache
def _script() -> View:
    """The script of every page, and the digest by which the policy of the page knows it."""
    file = resources.files("classward.reporting") / "templates" / "page.js"
    text = file.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_digest": f"sha256-{digest}"}  # ours: not escaped


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
            "between", "called", "duration", "label", "number", "p_value", "percent", "points",
            "printable", "share", "words",
        )
    }  # fmt: skip
    environment.globals |= {"radius": wording.radius}
    return environment


def _visible(value: object) -> object:
    """Text from a result without what cannot be seen; markup is ours and stays."""
    ours = hasattr(value, "__html__") or not isinstance(value, str)
    return value if ours else wording.printable(str(value))
