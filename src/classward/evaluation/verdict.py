"""Whether a robust accuracy can be trusted: checks, each with its evidence in plain words.

Source: Athalye et al., arXiv:1802.00420, Sec. 3.1, and Carlini et al., arXiv:1902.06705, for
what masked gradients look like. Every threshold stands beside its reason in `docs/verdict.md`.
"""

import copy
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from classward.core.types import Images
from classward.core.wilson import wilson
from classward.evaluation.judge import Model
from classward.records.audit_result import Check, Verdict
from classward.records.record import Record

ZERO_GRADIENTS = 0.01  # share; sound networks measured here stay below a tenth of it
LOW, HIGH = 0.05, 0.001  # p-values below which a clean accuracy is not the expected one


def verdict(checks: Sequence[Check]) -> Verdict:
    """The gravest thing a failed check says."""
    failed = {check.otherwise for check in checks if not check.passed}
    return "unsound" if "unsound" in failed else "suspect" if failed else "sound"


def gradients_are_finite(records: Mapping[str, Record]) -> Check:
    """No gradient with a NaN or an infinity, and no attack that ended in one."""
    wrong = {
        name: record.gradients.not_finite + int(record.failed.sum())
        for name, record in records.items()
    }
    worst = max(wrong, key=lambda name: wrong[name])
    taken = sum(record.gradients.taken for record in records.values())
    return Check(
        name="finite_gradients",
        passed=wrong[worst] == 0,
        evidence=(
            f"All {taken} input gradients were finite."
            if wrong[worst] == 0
            else f"{wrong[worst]} gradients or images of {worst} were NaN or infinite: the "
            "attack stood still there, and the model looks more robust than it is."
        ),
        otherwise="unsound",
    )


def many_zero_gradients(record: Record) -> bool:
    """Whether more gradients were exactly zero than a sound attack sees."""
    counts = record.gradients
    return counts.taken == 0 or counts.zero / counts.taken > ZERO_GRADIENTS


def gradients_are_not_zero(
    name: str, record: Record, *, scale_free: bool, blind: float | None = None
) -> Check:
    """Nearly no gradient that is exactly zero, at any step, where there is one to see.

    Args:
        name: Name of the attack.
        record: Its record.
        scale_free: Whether its loss cannot saturate (the margin); zeros then mean that the
            gradient is masked. Cross-entropy alone may vanish on very confident logits.
        blind: Share of samples whose logits change where their gradient is zero; asked for
            where `many_zero_gradients`.
    """
    counts = record.gradients
    share = counts.zero / counts.taken if counts.taken else 1.0
    cause = "the gradient is masked" if scale_free else "cross-entropy saturates or is masked"
    constant = blind is not None and blind <= ZERO_GRADIENTS
    if share <= ZERO_GRADIENTS:
        means = "."
    elif constant:
        means = f"; the logits are constant there, except for {blind:.2%} of the samples."
    else:
        means = f": {cause}, and the attack is blind."
    return Check(
        name=f"nonzero_gradients_{name}",
        passed=share <= ZERO_GRADIENTS or constant,
        evidence=f"{share:.2%} of {counts.taken} input gradients of {name} were exactly zero"
        + means,
        otherwise="unsound" if scale_free else "suspect",
    )


def outputs_are_repeatable(records: Mapping[str, Record]) -> Check:
    """Two passes over every batch give the same logits."""
    first, *others = records.values()
    whole = [other for other in others if len(other) == len(first)]  # other batches may round
    same = all(torch.equal(first.clean_logits, other.clean_logits) for other in whole)
    return Check(
        name="deterministic",
        passed=same,
        evidence=(
            f"{len(whole) + 1} passes over every clean image gave identical logits."
            if same
            else "The same image gave different logits twice: the model is random, one draw "
            "says little. Average over draws before you believe the number."
        ),
        otherwise="unsound",
    )


def mode_is_eval(model: Model, images: Images) -> Check:
    """A module handed over in train mode gives the same logits in eval mode.

    The model is left as it was: what train mode changes is changed in a copy.
    """
    training = isinstance(model, nn.Module) and any(m.training for m in model.modules())
    same = not training or _equal_in_eval(model, images)
    return Check(
        name="eval_mode",
        passed=same,
        evidence=(
            "The model was judged in eval mode"
            + (", in which it came." if not training else "; its train mode gives the same.")
            if same
            else "The model came in train mode, where its logits differ from eval mode, which "
            "was judged: call .eval() in your factory."
        ),
        otherwise="suspect",
    )


def _equal_in_eval(model: Model, images: Images) -> bool:
    try:
        twin = copy.deepcopy(model)
    except (RuntimeError, TypeError):
        return False  # cannot be compared without changing it: say so rather than guess
    assert isinstance(twin, nn.Module)
    twin.to(images.device)
    with torch.no_grad(), torch.random.fork_rng():
        as_given: Tensor = twin(images)
        return torch.equal(as_given, twin.eval()(images))


def forward_is_plain(gradients: int) -> Check:
    """The model takes no gradients of its own before it answers."""
    return Check(
        name="plain_forward",
        passed=gradients == 0,
        evidence=(
            "The model took no gradients of its own in a forward pass."
            if gradients == 0
            else f"The model took {gradients} gradients of its own in a forward pass: what "
            "optimises its input needs an attack written for it."
        ),
        otherwise="suspect",
    )


def every_attack_ran(left_out: Collection[str]) -> Check:
    """No attack was left out for want of time.

    Args:
        left_out: Names of attacks and "curve"; without that the number is the same.
    """
    missing = [name for name in left_out if name != "curve"]
    if missing:
        evidence = f"The time limit left out {', '.join(left_out)}: resume to lower the number."
    elif left_out:
        evidence = "Every attack of the budget ran; the time limit left out the curve: resume."
    else:
        evidence = "Every attack of the budget ran, or found nothing standing."
    return Check(name="complete", passed=not missing, evidence=evidence, otherwise="suspect")


def attacks_kept_their_word(records: Mapping[str, Record], eps: float, norm: str) -> Check:
    """Every adversarial image in the ball and the box; `run_attack` stops where one is not."""
    largest = max(getattr(record, norm).max().item() for record in records.values())
    return Check(
        name="ball_and_box",
        passed=largest <= eps + 1e-6,
        evidence=f"All adversarial images lie in [0, 1] and within {norm} {eps:.6g} of the "
        f"clean ones; the farthest is at {largest:.6g}.",
        otherwise="unsound",
    )


def steps_help(single: Record, several: Record) -> Check:
    """An attack of many steps is at least as strong as one step, within a point."""
    one, many = single.robust_accuracy, several.robust_accuracy
    return Check(
        name="steps_help",
        passed=many <= one + 0.01,
        evidence=f"One step leaves {one:.1%} right, many steps {many:.1%}"
        + ("." if many <= one + 0.01 else ": more steps should be worse, gradients mislead."),
        otherwise="suspect",
    )


def better_than_chance(record: Record) -> Check:
    """Clean accuracy above that of guessing: else labels or pixels are not the model's."""
    correct = int(record.correct.sum())
    low, _ = wilson(correct, len(record))
    chance, measured = 1 / record.classes, f"{record.clean_accuracy:.1%} of {len(record)}"
    return Check(
        name="better_than_chance",
        passed=low > chance,
        evidence=f"Clean accuracy is {measured}, guessing gives {chance:.1%}"
        + ("." if low > chance else ": labels, pixel range or normalisation do not fit."),
        otherwise="suspect",
    )


def clean_accuracy_is_expected(record: Record, expected: float) -> Check:
    """The measured clean accuracy is a likely draw from the expected one (binomial test)."""
    from scipy.stats import binom

    correct, count = int(record.correct.sum()), len(record)
    below = float(binom.cdf(correct, count, expected))
    above = float(binom.sf(correct - 1, count, expected))
    fits, measured = below >= LOW and above >= HIGH, f"{record.clean_accuracy:.1%} of {count}"
    return Check(
        name="expected_clean_accuracy",
        passed=fits,
        evidence=f"Clean accuracy is {measured}, expected {expected:.1%}"
        + (
            "."
            if fits
            else f" (p = {min(below, above):.1g}): check normalisation, weights and labels."
        ),
        otherwise="suspect",
    )
