"""Gates for builds: requirements of a saved audit, each with one line that says why it failed.

All are pure functions of results: nothing is attacked for them. What they cannot see is whether
the number can be trusted; that is the verdict, and an unsound one wins over every gate.
"""

from classward.core.errors import InputError
from classward.records.audit_result import Audit
from classward.records.comparison_result import Comparison
from classward.records.gate import Gate

ROUNDING = 1e-9  # a difference of two shares is off by less
MOST_NAMES = 5


def gates(
    audit: Audit,
    *,
    min_robust_accuracy: float | None = None,
    max_class_gap: float | None = None,
    max_pair_flow: float | None = None,
    baseline: Comparison | None = None,
) -> list[Gate]:
    """Every gate that was asked for.

    Args:
        audit: What was found.
        min_robust_accuracy: Least robust accuracy, in [0, 1].
        max_class_gap: Largest difference of the robust accuracies of two classes.
        max_pair_flow: Largest share of a class that may fall to one other class.
        baseline: This audit against an earlier one, which is the reference.

    Raises:
        InputError: If a limit is not in [0, 1].
    """
    limits = (
        (accuracy_gate, "min_robust_accuracy", min_robust_accuracy),
        (gap_gate, "max_class_gap", max_class_gap),
        (flow_gate, "max_pair_flow", max_pair_flow),
    )
    for _, name, limit in limits:
        check_limit(name, limit)
    judged = [gate(audit, limit) for gate, _, limit in limits if limit is not None]
    return judged if baseline is None else [*judged, baseline_gate(baseline)]


def check_limit(name: str, limit: float | None) -> None:
    """Refuse a limit that no share can have.

    Raises:
        InputError: If it is not in [0, 1].
    """
    if limit is not None and not 0 <= limit <= 1:
        raise InputError(f"{name} {limit} is no share: expected 0 to 1, like 0.4")


def accuracy_gate(audit: Audit, least: float) -> Gate:
    """Robust accuracy, the worst case over the attacks, is not below `least`."""
    passed = audit.robust_accuracy >= least
    return Gate(
        name="min_robust_accuracy",
        passed=passed,
        evidence=f"robust accuracy {audit.robust_accuracy:.4f} is "
        f"{'not below' if passed else 'below'} {least:g}",
    )


def gap_gate(audit: Audit, most: float) -> Gate:
    """Best minus worst robust accuracy of a class is not above `most`."""
    ranked = sorted((e.robust, e.name) for e in audit.per_class if e.robust is not None)
    (worst, worst_name), (best, best_name) = ranked[0], ranked[-1]
    passed = best - worst <= most + ROUNDING
    return Gate(
        name="max_class_gap",
        passed=passed,
        evidence=f"class gap {best - worst:.4f} ({_name(best_name)} {best:.4f}, "
        f"{_name(worst_name)} {worst:.4f}) is {'not above' if passed else 'above'} {most:g}",
    )


def flow_gate(audit: Audit, most: float) -> Gate:
    """No entry of the headline attack matrix off its diagonal is above `most`."""
    flows = [
        (share, i, j)
        for i, row in enumerate(audit.attack_matrix)
        for j, share in enumerate(row)
        if share is not None and i != j
    ]
    share, i, j = max(flows, key=lambda flow: flow[0], default=(0.0, 0, 0))
    passed = share <= most + ROUNDING
    return Gate(
        name="max_pair_flow",
        passed=passed,
        evidence=f"largest flow {share:.4f}, {_name(audit.classes[i])} to "
        f"{_name(audit.classes[j])}, is {'not above' if passed else 'above'} {most:g}",
    )


def baseline_gate(baseline: Comparison) -> Gate:
    """Robust accuracy is not significantly worse than that of the reference.

    Source: McNemar's exact test, two-sided, at 0.05: two equal models fail in at most one of
    forty builds. Classes that got worse are named; they decide nothing.
    """
    (change,) = baseline.differences
    share, worse = change.worst_case, [e.name for e in change.per_class if e.robust.worse]
    told = "worse than" if share.worse else "not shown to be worse than"
    classes = f"; classes worse (Holm): {_listed(worse)}" if worse else ""
    return Gate(
        name="baseline",
        passed=not share.worse,
        evidence=f"robust accuracy {share.other:.4f} is {told} {share.reference:.4f} of "
        f"{baseline.runs[0].name} ({share.lost} samples lost, {share.gained} gained, "
        f"p = {share.p:.2g}){classes}",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(_name(name) for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _name(name: str) -> str:
    """A class name in a line: nothing that cannot be seen, not long, not a bare number."""
    seen = "".join(c if c.isprintable() else " " for c in name[:200])
    short = " ".join(seen.split())[:32] or "(no name)"
    return f"class {short}" if short.isdigit() else short
