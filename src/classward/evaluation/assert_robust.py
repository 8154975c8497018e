"""Robustness as a test: an audit that raises where a model is not as robust as it must be."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.audit import audit
from classward.evaluation.baseline import against_baseline, read_baseline
from classward.evaluation.gates import check_limit, gates
from classward.evaluation.judge import Model
from classward.evaluation.plan import plan
from classward.records.audit_result import Audit
from classward.records.gate import Gate


def assert_robust(
    model: Model,
    data: Split,
    *,
    eps: float,
    norm: Literal["linf", "l2"] = "linf",
    min_robust_accuracy: float | None = None,
    max_class_gap: float | None = None,
    max_pair_flow: float | None = None,
    baseline: str | Path | None = None,
    expect_clean: float | None = None,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    out: str | Path | None = None,
) -> Audit:
    """Audit a model quickly and raise unless every gate holds and the number can be trusted.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        eps: Radius of the ball, in pixel units.
        norm: Norm of the ball.
        min_robust_accuracy: Least robust accuracy, in [0, 1].
        max_class_gap: Largest difference of the robust accuracies of two classes.
        max_pair_flow: Largest share of a class that may fall to one other class.
        baseline: Folder of an earlier audit; robust accuracy must not be significantly worse.
        expect_clean: Clean accuracy the model is known to have.
        seed: Seed of the audit.
        batch_size: Images at once.
        device: A torch device.
        out: Folder to keep the audit in, such as for a later `baseline`.

    Returns:
        The audit, for further assertions.

    Raises:
        AssertionError: If a gate fails or the verdict is unsound; one line for each reason.
        InputError: If no gate is given, or model, data and options do not fit each other.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    limits = {
        "min_robust_accuracy": min_robust_accuracy,
        "max_class_gap": max_class_gap,
        "max_pair_flow": max_pair_flow,
    }
    if baseline is None and set(limits.values()) == {None}:
        raise InputError(f"nothing to assert: give {', '.join(limits)} or baseline")
    for name, limit in limits.items():
        check_limit(name, limit)
    with ExitStack() as kept:
        earlier = None
        if baseline is not None:
            asked = {"eps": eps, "norm": norm, "attacks": plan(eps, norm, model=model)}
            earlier = read_baseline(baseline, data, out=out, **asked)
            out = out or kept.enter_context(tempfile.TemporaryDirectory())
        audited = audit(
            model,
            data,
            eps=eps,
            norm=norm,
            expect_clean=expect_clean,
            seed=seed,
            batch_size=batch_size,
            device=device,
            out=out,
        )
        change = against_baseline(earlier, out) if earlier and out else None
        reasons = _reasons(audited, gates(audited, **limits, baseline=change))
    if reasons:
        raise AssertionError("\n".join(reasons))
    return audited


def _reasons(audited: Audit, judged: list[Gate]) -> list[str]:
    unsound = [
        f"unsound, {check.name}: {check.evidence}"
        for check in audited.checks
        if audited.verdict == "unsound" and not check.passed and check.otherwise == "unsound"
    ]
    return unsound + [gate.evidence for gate in judged if not gate.passed]
