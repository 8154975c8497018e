"""A record in a few words and numbers."""

from typing import Any

from classward.records.record import Record

ENOUGH = 0.95  # share of successes below which a minimal-norm attack ran out of budget


def summary(record: Record) -> dict[str, Any]:
    """Plain JSON values: three shares, each with its own denominator, and what it cost."""
    correct = int(record.correct.sum())
    fell = int((record.correct & ~record.robust).sum())
    return {
        "attack": record.settings.get("attack", "unknown"),
        "samples": len(record),
        "clean_accuracy": record.clean_accuracy,
        "robust_accuracy": record.robust_accuracy,
        "success_rate": record.success.double().mean().item(),
        "success_rate_over_correct": fell / correct if correct else None,
        "failed": int(record.failed.sum()),
        "budget_exhausted": budget_exhausted(record),
        "median_l2": record.l2.median().item(),
        "median_linf": record.linf.median().item(),
        "undecided": record.undecided,
        "final_iterate": record.settings.get("until") is None,
        "passes": record.passes.to_dict(),
        "seconds": record.seconds,
        "seed": record.settings.get("seed"),
    }


def budget_exhausted(record: Record) -> bool:
    """Whether a minimal-norm attack, which has no radius to respect, left too many standing.

    Source: with enough steps such an attack succeeds on every sample; where it does not, its
    distances are those of the easy samples alone.
    """
    minimal = "eps" in record.settings and record.settings["eps"] is None
    return minimal and record.success.double().mean().item() < ENOUGH


def lines(record: Record) -> str:
    """The same as text."""
    said = summary(record)
    over = said["success_rate_over_correct"]
    text = [
        said["attack"],
        f"clean accuracy   {said['clean_accuracy']:7.2%} of {said['samples']}",
        f"robust accuracy  {said['robust_accuracy']:7.2%} of {said['samples']}",
        f"success rate     {said['success_rate']:7.2%} of all samples",
        "success rate     undefined, none was right before"
        if over is None
        else f"success rate     {over:7.2%} of those right before",
        f"median distance  l2 {said['median_l2']:.4g}, linf {said['median_linf']:.4g}",
        f"passes           {said['passes']['forward']} images forward, "
        f"{said['passes']['backward']} backward, {said['seconds']:.1f} s",
    ]
    if said["failed"]:
        text.append(
            f"failed           {said['failed']} samples: the attack gave no finite image"
        )
    if said["budget_exhausted"]:
        text.append(
            f"budget exhausted: succeeded on {said['success_rate']:.1%}, a minimal-norm attack "
            "should on nearly all; raise its steps"
        )
    if not said["final_iterate"]:
        text.append("stopped at first success: for robust accuracy alone")
    return "\n".join(text)
