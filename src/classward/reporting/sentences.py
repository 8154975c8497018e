"""What a result says, in plain sentences: the same on the page and in the terminal."""

from classward.core.errors import InputError
from classward.records.analysis_result import Analysis, ClassRobustness
from classward.records.audit_result import Audit, Check
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
from classward.records.result import Result, Share, Statistic
from classward.reporting.claims import claims_sentences
from classward.reporting.class_bars import least_robust
from classward.reporting.comparison import comparison_sentences
from classward.reporting.correction_study_sentences import study_sentences
from classward.reporting.defense_contest import contest_sentences
from classward.reporting.detection import detection_sentences
from classward.reporting.explanation import explanation_sentences
from classward.reporting.reproduction import reproduction_sentences
from classward.reporting.wording import (
    between,
    called,
    listed,
    p_value,
    percent,
    points,
    printable,
    radius,
    share,
    words,
)

SIGNIFICANT = 0.05


def sentences(shown: Result) -> dict[str, str]:
    """Labelled sentences of any result, the most important first."""
    match shown:
        case Audit():
            return audit_sentences(shown)
        case Analysis():
            return analysis_sentences(shown)
        case CorrectionTable():
            return correction_sentences(shown)
        case TransferTable():
            return transfer_sentences(shown)
        case DefenseTable():
            return training_sentences(shown)
        case Demo():
            return demo_sentences(shown)
        case Comparison():
            return comparison_sentences(shown)
        case DetectionTable():
            return detection_sentences(shown)
        case Explanation():
            return explanation_sentences(shown)
        case CorrectionStudy():
            return study_sentences(shown)
        case DefenseContest():
            return contest_sentences(shown)
        case Claims():
            return claims_sentences(shown)
        case Reproduction():
            return reproduction_sentences(shown)
    raise InputError(f"a {type(shown).__name__} has no sentences")


def audit_sentences(audit: Audit) -> dict[str, str]:
    """How robust, can it be trusted, which class and pair suffer, what next."""
    return {
        "How robust": _how_robust(audit),
        "Can it be trusted": _trusted(audit),
        "Which class and pair suffer": _who_suffers(audit),
        "What next": _next(audit),
    }


def demo_sentences(demo: Demo) -> dict[str, str]:
    """Those of the audit, and whether correction and training help."""
    told = audit_sentences(demo.audit)
    last = told.pop("What next")
    correction = correction_sentences(demo.correction)
    training = training_sentences(demo.training)
    return told | {
        "Does correction help": correction["Does it help"],
        "Does training help": training["Does it help"],
        "What next": last,
    }


def analysis_sentences(analysis: Analysis) -> dict[str, str]:
    """What a bare analysis says; it has no verdict, so no headline."""
    return {
        "How robust": "Unjudged: one attack alone bounds nothing and no check was made. "
        "Only classward audit judges.",
        "Which class and pair suffer": " ".join(
            [_worst_class(analysis.per_class), pair_sentence(analysis)]
        ),
        "Is it more than chance": symmetry_sentence(analysis),
    }


def correction_sentences(table: CorrectionTable) -> dict[str, str]:
    """Against whom a corrector helps, and what it costs."""
    return {
        "Does it help": _recovery(table),
        "What it costs": f"Clean images: {percent(table.clean_corrected.value)} right with the "
        f"corrector, {percent(table.clean.value)} without.",
    }


def transfer_sentences(table: TransferTable) -> dict[str, str]:
    """The best and the worst cell of correctors against attacks."""
    cells = [
        (entry.value, corrector, attack)
        for attack, row in zip(table.attacks, table.accuracy, strict=True)
        for corrector, entry in zip(table.correctors, row, strict=True)
        if entry.value is not None and attack != "clean"
    ]
    if not cells:
        return {"Does it transfer": "No selected samples: nothing can be said."}
    (low, *worst), (high, *best) = min(cells), max(cells)
    return {
        "Does it transfer": f"From {percent(low)} (corrector {words(worst[0])} on "
        f"{words(worst[1])}) to {percent(high)} (corrector {words(best[0])} on "
        f"{words(best[1])}) of {table.samples} samples that were right before the attack."
    }


def training_sentences(table: DefenseTable) -> dict[str, str]:
    """The paired difference of the last and the first defense in every column."""
    if not table.defenses:
        return {"Does it help": "No defense was trained."}
    first, last = (words(table.defenses[i].defense) for i in (0, -1))
    sides: dict[str, list[str]] = {"higher": [], "lower": [], "not shown to differ": []}
    for column, (difference, low, high) in table.difference.items():
        side = "higher" if low > 0 else "lower" if high < 0 else "not shown to differ"
        interval = f"{points(low)} to {points(high)}"
        sides[side].append(f"{words(column)} ({points(difference)} points, {interval})")
    told = [f"{side} under {', '.join(columns)}" for side, columns in sides.items() if columns]
    if not told:
        return {"Does it help": f"{last} and {first} were not compared sample by sample."}
    return {"Does it help": f"{last} against {first}: {'; '.join(told)}."}


def symmetry_sentence(analysis: Analysis) -> str:
    """Whether the symmetry is more than the row sums alone give."""
    tests = {f"at tolerance {name}": entry for name, entry in analysis.symmetry.items()}
    if not tests:
        return "Symmetry is undefined: fewer than two classes have samples."
    clear = [name for name, entry in tests.items() if _significant(entry)]
    every = len(clear) == len(tests)
    strongest = min(tests, key=lambda name: tests[name].p)
    figures = (
        f"{strongest}, {percent(tests[strongest].value)} of the class pairs are symmetric and "
        f"{percent(tests[strongest].null)} by chance (p {p_value(tests[strongest].p)})"
    )
    if not clear:
        return f"No more symmetric than chance at any tolerance: at best {figures}."
    where = "every tolerance" if every else f"{len(clear)} of {len(tests)} tolerances"
    return f"More symmetric than chance at {where}: {figures}."


def pair_sentence(analysis: Analysis) -> str:
    """The maximum symmetry pairs, the heaviest first; an empty set is said."""
    pairs, matrix = analysis.maximum_symmetry_pairs, analysis.attack_matrix
    limit = f"{analysis.tolerance:g}"
    if not pairs:
        return f"No two classes are each other's top target within {limit}."
    i, j = max(pairs, key=lambda pair: _flow(matrix, *pair) + _flow(matrix, *pair[::-1]))
    names = [called(analysis.classes[entry]) for entry in (i, j)]
    others = len(pairs) - 1
    more = f"; {others} more such pair{'s' if others > 1 else ''}" if others else ""
    return (
        f"{names[0]} and {names[1]} are each other's top target "
        f"({percent(_flow(matrix, i, j))} and {percent(_flow(matrix, j, i))}){more}."
    )


def _how_robust(audit: Audit) -> str:
    warning = "" if audit.verdict == "sound" else f"{audit.verdict.capitalize()}: "
    return (
        f"{warning}{percent(audit.robust_accuracy)} ({between(*audit.interval)}) of "
        f"{audit.samples} samples stay right under the worst of {len(audit.attacks)} attacks "
        f"within {radius(audit.norm, audit.eps)}; {percent(audit.clean_accuracy)} are right "
        "without attack."
    )


def _trusted(audit: Audit) -> str:
    failed, count = failed_first(audit.checks), len(audit.checks)
    if not failed or failed[0].passed:
        return f"Sound: all {count} checks passed."
    number = sum(not check.passed for check in audit.checks)
    evidence = printable(failed[0].evidence, width=140)
    return (
        f"{audit.verdict.capitalize()}: {number} of {count} checks failed, first "
        f"“{words(failed[0].name)}”: {evidence}"
    )


def failed_first(checks: list[Check]) -> list[Check]:
    """The checks, those that make the number unsound first, then suspect, then passed."""
    return sorted(checks, key=lambda check: (check.passed, check.otherwise != "unsound"))


def _who_suffers(audit: Audit) -> str:
    ranked = least_robust(audit.per_class)
    told = _gap(audit) if len(ranked) > 1 else "Fewer than two classes have samples."
    return f"{told} {pair_sentence(audit.analysis)}"


def _gap(audit: Audit) -> str:
    ranked = least_robust(audit.per_class)
    worst, best = ranked[0], ranked[-1]
    if worst.robust == best.robust:
        return f"All classes are equally robust ({percent(worst.robust)})."
    interval = between(*worst.robust_interval) if worst.robust_interval else "no interval"
    gap = 100 * ((best.robust or 0) - (worst.robust or 0))
    flow = audit.analysis.per_class[audit.per_class.index(worst)]
    return (
        f"{called(worst.name)} is the weakest class, {percent(worst.robust)} "
        f"({interval}) stay right, {gap:.1f} points below {called(best.name)}"
        f"{_falls_to(flow)}."
    )


def _worst_class(classes: list[ClassRobustness]) -> str:
    defined = [entry for entry in classes if entry.robust.value is not None]
    if not defined:
        return "No class has samples."
    worst = min(defined, key=lambda entry: entry.robust.value or 0.0)
    return (
        f"{called(worst.name)} has the fewest right after the attack, "
        f"{share(worst.robust)}{_falls_to(worst)}."
    )


def _falls_to(entry: ClassRobustness) -> str:
    if entry.top_target is None or not entry.top_share:
        return ""
    target = called(entry.top_target)
    return f"; the most fall to {target} ({percent(entry.top_share)})"


def _next(audit: Audit) -> str:
    failed = [words(check.name) for check in failed_first(audit.checks) if not check.passed]
    cause = f"“{failed[0]}”" if failed else "the verdict"
    if audit.verdict == "unsound":
        return f"Do not quote this number. Remove the cause of {cause} and audit again."
    if audit.verdict == "suspect":
        return (
            f"Settle {cause} before you quote the number; a larger --budget or more --samples "
            "may decide it."
        )
    if audit.robust_accuracy < audit.clean_accuracy / 2:
        return (
            "The attack takes most of the accuracy: train with a defense (classward train "
            "--defense adversarial_training) and audit again."
        )
    weakest = listed([entry.name for entry in least_robust(audit.per_class)[:1]])
    return (
        f"Work on the weakest class, {weakest}, and keep this run as --baseline: a build that "
        "makes it worse then fails."
    )


def lowest(shares: list[Share]) -> Share:
    """The share with the lowest value; an undefined one counts as the highest."""
    return min(shares, key=lambda entry: 2.0 if entry.value is None else entry.value)


def _recovery(table: CorrectionTable) -> str:
    adaptive = table.adaptive_worst
    known = f"an attacker who knows the corrector leaves {share(adaptive)}"
    if not table.gray_box:
        return f"{known.capitalize()}; no other attack was tried."
    bare = lowest([row.no_defense for row in table.gray_box])
    gray = lowest([row.gray_box for row in table.gray_box])
    helps = (adaptive.low or 0.0) > (1.0 if bare.high is None else bare.high)
    return (
        f"An attacker who does not know the corrector leaves {percent(gray.value)} or more "
        f"right instead of {percent(bare.value)}; {known}. "
        + ("That is more than without it." if helps else "Against the second it is no defense.")
    )


def _significant(entry: Statistic) -> bool:
    return entry.p < SIGNIFICANT and (entry.null is None or entry.value > entry.null)


def _flow(matrix: list[list[float | None]], i: int, j: int) -> float:
    return matrix[i][j] or 0.0
