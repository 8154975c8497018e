"""A result as plain text of at most thirty lines: what the command line prints."""

from collections.abc import Sequence
from textwrap import wrap

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
from classward.reporting.claims import claims_lines
from classward.reporting.class_bars import least_robust
from classward.reporting.comparison import comparison_tables
from classward.reporting.correction_study import study_table
from classward.reporting.defense_contest import contest_table_lines
from classward.reporting.detection import detection_tables
from classward.reporting.explanation import explanation_table
from classward.reporting.reproduction import reproduction_lines
from classward.reporting.sentences import sentences
from classward.reporting.wording import (
    duration,
    label,
    listed,
    measured,
    percent,
    printable,
    radius,
    share,
    words,
)

WIDTH = 100
MOST_LINES = 30
SENTENCE_LINES = 3  # so that the four of an audit fit into twelve
MOST_ROWS = 6

Row = Sequence[str]


def text_summary(result: Result) -> str:
    """The sentences of a result, then its tables; no more than 30 lines."""
    lines = [
        line
        for label, sentence in sentences(result).items()
        for line in wrap(
            f"{label}: {sentence}",
            WIDTH,
            subsequent_indent="  ",
            max_lines=SENTENCE_LINES,
            placeholder=" …",
        )
    ]
    lines += _tables(result)
    if len(lines) > MOST_LINES:
        hidden = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"… {hidden} more lines in the report"]
    return "\n".join(lines) + "\n"


def _tables(result: Result) -> list[str]:
    match result:
        case Audit():
            return _audit(result)
        case Analysis():
            return _analysis(result)
        case CorrectionTable():
            return _correction(result)
        case TransferTable():
            return _transfer(result)
        case DefenseTable():
            return _training(result)
        case Demo():
            return _demo(result)
        case Comparison():
            return _several(comparison_tables(result))
        case DetectionTable():
            return _several(detection_tables(result))
        case Explanation():
            head, *rows = explanation_table(result)
            return ["", *_aligned(head, _clipped(rows))]
        case CorrectionStudy():
            head, *rows = study_table(result)
            return ["", *_aligned(head, _clipped(rows))]
        case DefenseContest():
            head, *rows = contest_table_lines(result)
            return ["", *_aligned(head, _clipped(rows))]
        case Claims():
            head, *rows = claims_lines(result)
            return ["", *_aligned(head, rows)]
        case Reproduction():
            head, *rows = reproduction_lines(result)
            return ["", *_aligned(head, rows)]
    raise InputError(f"a {type(result).__name__} has no summary")


def _audit(audit: Audit) -> list[str]:
    mark = "" if audit.verdict == "sound" else f" {audit.verdict}"
    worst = f"{measured(audit.robust_accuracy, *audit.interval)}{mark}"
    attacks = _clipped([[words(name), percent(v)] for name, v in audit.attacks.items()])
    weakest = least_robust(audit.per_class, MOST_ROWS - 1)
    classes = [[label(e.name), percent(e.clean), percent(e.robust)] for e in weakest]
    return [
        "",
        *_aligned(["attack", "right"], [*attacks, ["worst case", worst]]),
        "",
        *_aligned(["weakest classes", "clean", "robust"], classes),
        "",
        f"{printable(audit.model, 40)} on {printable(audit.data, 30)}, "
        f"{audit.samples} samples, {radius(audit.norm, audit.eps)}, seed {audit.seed}, "
        f"{audit.mode}, {duration(audit.seconds)}",
    ]


def _analysis(analysis: Analysis) -> list[str]:
    ranked = sorted(analysis.per_class, key=lambda e: (e.robust.value is None, e.robust.value))
    rows = [
        [
            label(entry.name),
            percent(entry.clean.value),
            percent(entry.robust.value),
            label(entry.top_target or "none"),
        ]
        for entry in ranked
    ]
    undefined = analysis.undefined_classes
    empty = [f"without samples: {listed(undefined)}"] if undefined else []
    return [
        "",
        *_aligned(["class", "clean", "robust", "falls to"], _clipped(rows)),
        *empty,
        "",
        f"{printable(analysis.attack, 70)}, {analysis.samples} samples, seed {analysis.seed}",
    ]


def _correction(table: CorrectionTable) -> list[str]:
    rows = [
        [
            words(row.attack),
            percent(row.no_defense.value),
            percent(row.gray_box.value),
            percent(table.adaptive_worst.value),
        ]
        for row in table.gray_box
    ]
    return [
        "",
        *_aligned(["attack", "no defense", "gray-box", "adaptive"], _clipped(rows)),
        "",
        f"adaptive attacks within {radius(table.norm, table.eps)}, fitted on "
        f"{listed(table.fitted_on)}, {table.training_samples} training samples",
    ]


def _transfer(table: TransferTable) -> list[str]:
    head = ["attack", *(words(name) for name in table.correctors[:MOST_ROWS])]
    rows = [
        [words(attack), *(percent(entry.value) for entry in row[:MOST_ROWS])]
        for attack, row in zip(table.attacks, table.accuracy, strict=True)
    ]
    return ["", *_aligned(head, _clipped(rows))]


def _training(table: DefenseTable) -> list[str]:
    columns = list(table.defenses[0].accuracy)[:MOST_ROWS] if table.defenses else []
    rows = [
        [words(row.defense), *(percent(row.accuracy[name].value) for name in columns)]
        for row in table.defenses
    ]
    return ["", *_aligned(["defense", *map(words, columns)], _clipped(rows))]


def _demo(demo: Demo) -> list[str]:
    bare = f"without a hidden layer {share(demo.one_layer)}"
    return [*_correction(demo.correction)[:-2], bare, *_training(demo.training)]


def _several(tables: list[list[list[str]]]) -> list[str]:
    return [line for head, *rows in tables for line in ["", *_aligned(head, _clipped(rows))]]


def _clipped(rows: list[list[str]]) -> list[list[str]]:
    if len(rows) <= MOST_ROWS:
        return rows
    return [*rows[: MOST_ROWS - 1], [f"… {len(rows) - MOST_ROWS + 1} more"]]


def _aligned(head: Row, rows: Sequence[Row]) -> list[str]:
    """Columns of equal width: the first to the left, the others to the right."""
    padded = [[*row, *[""] * (len(head) - len(row))] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in padded
    ]
