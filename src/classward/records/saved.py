"""Saved results: one JSON object with its kind and the number of its schema."""

import json

from classward.core.errors import InputError
from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit
from classward.records.claims_result import Claims
from classward.records.comparison_result import Comparison
from classward.records.correction_result import CorrectionTable, TransferTable
from classward.records.correction_study_result import CorrectionStudy
from classward.records.defense_contest_result import DefenseContest
from classward.records.defense_result import DefenseTable
from classward.records.demo_result import Demo
from classward.records.detection_result import DetectionTable
from classward.records.explanation_result import Explanation
from classward.records.reproduction_result import Reproduction
from classward.records.result import Result
from classward.records.sealed import SCHEMA, seal, unseal

RESULTS: dict[str, type[Result]] = {
    "analysis": Analysis,
    "audit": Audit,
    "claims": Claims,
    "comparison": Comparison,
    "correction": CorrectionTable,
    "correction study": CorrectionStudy,
    "defense contest": DefenseContest,
    "demo": Demo,
    "detection": DetectionTable,
    "explanation": Explanation,
    "reproduction": Reproduction,
    "training": DefenseTable,
    "transfer": TransferTable,
}


def dump(saved: Result) -> str:
    """JSON text of a result, with its kind, the schema number and a digest."""
    kind = next(name for name, cls in RESULTS.items() if type(saved) is cls)
    return seal({"schema": SCHEMA, "kind": kind} | saved.to_dict())


def load(text: str | bytes, source: str) -> Result:
    """Read what `dump` wrote.

    Raises:
        InputError: If it is another kind of file, of a later schema, or damaged; `source` is
            named.
    """
    try:
        table = json.loads(text)
        kind, schema = str(table["kind"]), table["schema"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{source}: not a saved result of classward") from None
    if schema not in range(1, SCHEMA + 1) or kind not in RESULTS:
        raise InputError(f"{source}: result '{kind}' of schema {schema}, expected {SCHEMA}")
    table = unseal(table, source, needed=schema > 1)
    del table["kind"], table["schema"]
    try:
        return RESULTS[kind].from_dict(table)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
