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
        "eight_bit": None if record.images is None else eight_bit(record),
        "halved_to": record.settings.get("halved_to"),
        "final_iterate": record.settings.get("until") is None,
        "queries": queries(record) if record.queries.any() else None,
        "passes": record.passes.to_dict(),
        "seconds": record.seconds,
        "seed": record.settings.get("seed"),
    }


def eight_bit(record: Record) -> dict[str, Any]:
    """What is left of an attack once its images, which were kept, are 8-bit pictures."""
    assert record.success_8bit is not None
    assert record.linf_8bit is not None
    assert record.l2_8bit is not None
    return {
        "samples": len(record),
        "success_rate": record.success.double().mean().item(),
        "success_rate_8bit": record.success_8bit.double().mean().item(),
        "lost": int((record.success & ~record.success_8bit).sum()),
        "largest_linf_8bit": record.linf_8bit.max().item(),
        "largest_l2_8bit": record.l2_8bit.max().item(),
    }


def queries(record: Record) -> dict[str, Any]:
    """What a black-box attack spent on the samples that were right before, to bring them down.

    The number of the first successful query counts, not what the attack had sent by then; over
    restarts it goes on.
    """
    numbers = record.first_success[record.correct & (record.first_success > 0)]
    known = len(numbers) > 0
    return {
        "median_to_success": numbers.double().median().item() if known else None,
        "mean_to_success": numbers.double().mean().item() if known else None,
        "largest_spent": int(record.queries.max()),
        "success_rate_over_correct": {
            str(budget): success_within(record, budget) for budget in _budgets(record)
        },
    }


def success_within(record: Record, budget: int) -> float | None:
    """Share of the samples right before that a black-box attack brings down in so many queries.

    An attack that was given a smaller budget may spend it otherwise: this is a lower bound.
    """
    first = record.first_success[record.correct]
    down = (first > 0) & (first <= budget)
    return down.double().mean().item() if len(first) else None


def _budgets(record: Record) -> list[int]:
    """10, 50, 100, 500 and so on, and last what was spent at most."""
    most = int(record.queries.max())
    ladder = [step * 10**power for power in range(1, len(str(most))) for step in (1, 5)]
    return [*(budget for budget in ladder if budget < most), most]


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
    if (rounded := said["eight_bit"]) is not None:
        text.append(
            f"as 8-bit images  {rounded['success_rate_8bit']:7.2%} success rate, "
            f"{rounded['success_rate']:.2%} as floats; {rounded['lost']} samples lost it"
        )
    if said["halved_to"] is not None:
        text.append(f"memory ran out   batches were halved to {said['halved_to']} images")
    if said["queries"]:
        text += _query_lines(said["queries"])
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


def _query_lines(said: dict[str, Any]) -> list[str]:
    median, mean = said["median_to_success"], said["mean_to_success"]
    found = "never" if median is None else f"median {median:.0f}, mean {mean:.0f}"
    rates = {
        budget: rate
        for budget, rate in said["success_rate_over_correct"].items()
        if rate is not None
    }
    within = ", ".join(f"{rate:.1%} in {budget}" for budget, rate in rates.items())
    return [
        f"queries          to success: {found}; at most {said['largest_spent']} spent",
        *([f"success rate     of those right before: {within}"] if within else []),
    ]
