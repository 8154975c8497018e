"""The samples that no attack turned, attacked again in ways that masked gradients do not stop.

If something else turns many of them, the robust accuracy says more about the attacks than about
the model. A network that nothing survives has nothing to hide: every check then passes.

Sources: Athalye et al., arXiv:1802.00420, Sec. 3.1; Carlini et al., arXiv:1902.06705, Sec. 5;
Croce and Hein, arXiv:2003.01690 (scale of the logits). Thresholds: `docs/verdict.md`.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from classward.attacks.square import Square
from classward.core.balls import ball
from classward.core.losses import cross_entropy, dlr, margin
from classward.core.randomness import SampleRandom
from classward.core.types import Labels, Logits, SampleLoss
from classward.evaluation.bypass import bypassed
from classward.evaluation.finite_difference import disagreement
from classward.evaluation.planted import plant_and_search
from classward.evaluation.standing import LITTLE, RESTARTS, Standing
from classward.records.audit_result import Check

BLIND = 0.05  # share that something without gradients may turn
WEAK = 0.15  # share that more effort of the same kind may turn
APART = 0.5  # relative difference of gradient and finite difference
FOUND = 0.9  # share of planted examples that must be found
QUERIES = 300  # of Square
FEW = 3  # survivors that may fall in any case: small shares of few samples say little
FAR = 0.05  # share that may stand where the ball holds every image
DRAWS = 20  # of noise, for each survivor
SCALES = (0.1, 1.0, 10.0, 100.0)


def checks_on(standing: Standing | None) -> list[Check]:
    """All checks on survivors; without any, each passes and says why."""
    if standing is not None:
        return [check(standing) for check in CHECKS.values()]
    evidence = f"At most {LITTLE:.0%} stand, or the radius is 0: nothing to attack again."
    return [
        Check(name=name, passed=True, evidence=evidence, otherwise="unsound") for name in CHECKS
    ]


def scale_of_logits(standing: Standing) -> Check:
    """Cross-entropy at other scales of the logits, and the scale-free DLR loss."""
    losses = {f"cross-entropy of logits x {scale:g}": _scaled(scale) for scale in SCALES}
    losses["DLR"] = dlr
    shares = {name: standing.turned(standing.pgd(), loss=loss) for name, loss in losses.items()}
    best = max(shares, key=lambda name: shares[name])
    most = standing.fallen + WEAK
    return _found("logit_scale", standing, shares[best], f"PGD on {best}", most, "unsound")


def more_effort(standing: Standing) -> Check:
    """Five times the steps, and more than one random start."""
    share = standing.fallen
    what = f"PGD-100 from {RESTARTS} starts"
    return _found("more_effort", standing, share, what, WEAK, "suspect")


def noise(standing: Standing) -> Check:
    """Random perturbations of full length, which any gradient should beat."""
    turned = torch.zeros(len(standing.data), dtype=torch.bool)
    with standing.judged() as (model, images, labels, ids), torch.no_grad():
        for draw in range(DRAWS):
            random = SampleRandom(standing.seed, "noise", ids, draw).normal(images.shape[1:])
            step = standing.ball.eps * standing.ball.steepest(random.to(images))
            noisy = standing.ball.project(images + step, images)
            turned |= (model(noisy).argmax(dim=1) != labels).cpu()
    share = turned.double().mean().item()
    return _found(
        "noise_is_weaker", standing, share, f"{DRAWS} draws of noise", BLIND, "unsound"
    )


def black_box(standing: Standing) -> Check:
    """Square, which asks for scores alone."""
    share = standing.turned(Square(ball=standing.ball, queries=QUERIES, rescale=True))
    what = f"Square ({QUERIES} queries)"
    return _found("black_box", standing, share, what, standing.fallen + BLIND, "unsound")


def identity_gradient(standing: Standing) -> Check:
    """What is done to the image before the network taken for the identity, backwards."""
    images = standing.data.batch(torch.arange(1))
    model = bypassed(standing.model, images)
    if model is None:
        evidence = "The model has no part, taking an image, whose gradient can be bypassed."
        return Check(
            name="identity_gradient", passed=True, evidence=evidence, otherwise="unsound"
        )
    share = standing.turned(standing.pgd(), loss=margin, gradient_model=model)
    how = "PGD with the gradient past the pre-processing"
    return _found("identity_gradient", standing, share, how, standing.fallen + WEAK, "unsound")


def transfer(standing: Standing) -> Check:
    """PGD on other networks, whose gradients nothing in this model can mask."""
    surrogates = standing.surrogates
    what = f"PGD on {len(surrogates)} other network(s)"
    if not surrogates:
        taught = standing.taught()
        what = f"PGD on a network taught by the model (agreement {taught.agreement:.0%})"
        if not taught.useful:
            evidence = (
                f"A network taught by the model agrees with it on {taught.agreement:.0%} of "
                f"{taught.held} samples, its commonest answer on {taught.commonest:.0%}: of no "
                "use, nothing was asked of it."
            )
            return Check(name="transfer", passed=True, evidence=evidence, otherwise="unsound")
        surrogates = [taught.network]
    share = max(
        standing.turned(standing.pgd(), loss=margin, gradient_model=surrogate)
        for surrogate in surrogates
    )
    return _found("transfer", standing, share, what, standing.fallen + BLIND, "unsound")


def far_away(standing: Standing) -> Check:
    """Where the ball holds a grey image, or every image, the attack gets there."""
    size = torch.Size(standing.data.shape).numel()
    far = 1.0 if standing.ball.norm == "linf" else sqrt(size)
    most = standing.data.labels.bincount().max().item() / len(standing.data)
    left = {
        share: 1
        - standing.turned(
            standing.pgd(radius=ball(standing.ball.norm, share * far)), loss=margin, restarts=2
        )
        for share in (0.5, 1.0)
    }
    fine = left[1.0] <= FAR and left[0.5] <= max(FAR, most)
    return Check(
        name="large_radius",
        passed=fine,
        evidence=f"At radius {far:.4g}, where every image is allowed, {left[1.0]:.1%} of "
        f"{len(standing.data)} survivors stand; at half of it, where all may become the same "
        f"grey image, {left[0.5]:.1%}"
        + ("." if fine else ": the attack does not get anywhere on this model."),
        otherwise="suspect",
    )


def finite_differences(standing: Standing) -> Check:
    """The gradient predicts how the logits change, at random points of the ball."""
    if standing.random:
        return Check(
            name="finite_differences",
            passed=True,
            evidence="Not asked of a random model, whose draws change from point to point.",
            otherwise="unsound",
        )
    with standing.judged() as (model, images, labels, ids):
        rng = SampleRandom(standing.seed, "finite differences", ids)
        errors = disagreement(model, images, labels, standing.ball, rng)
    middle = errors.median().item()
    return Check(
        name="finite_differences",
        passed=middle <= APART,
        evidence=f"The gradient and a finite difference of the margin differ by {middle:.1%} "
        f"(median of {len(errors)} survivors)"
        + ("." if middle <= APART else ": the gradient is not that of the logits."),
        otherwise="unsound",
    )


def planted_examples(standing: Standing) -> Check:
    """PGD finds examples that were planted on the model's own logits."""
    with standing.judged() as (model, images, _, ids):
        rng = SampleRandom(standing.seed, "planted", ids)
        result = plant_and_search(model, images, standing.ball, rng)
    planted, found = int(result.planted.sum()), int(result.found.sum())
    fine = found >= FOUND * planted
    return Check(
        name="planted_examples",
        passed=fine,
        evidence=f"Of {planted} planted adversarial examples the attack found {found}"
        + ("." if fine else ": it would miss the model's own ones too."),
        otherwise="unsound",
    )


def _found(
    name: str, standing: Standing, share: float, what: str, most: float, otherwise: Any
) -> Check:
    few = share * len(standing.data) <= max(FEW, most * len(standing.data))
    fine = few or share * standing.of_all <= LITTLE
    return Check(
        name=name,
        passed=fine,
        evidence=f"{what} turns {share:.1%} of {len(standing.data)} survivors, "
        f"{100 * share * standing.of_all:.1f} points of robust accuracy"
        + ("." if fine else ": the attacks of the audit missed them."),
        otherwise=otherwise,
    )


def _scaled(scale: float) -> SampleLoss:
    def scaled_cross_entropy(logits: Logits, labels: Labels) -> Tensor:
        return cross_entropy(scale * logits, labels)

    return scaled_cross_entropy


CHECKS: dict[str, Callable[[Standing], Check]] = {
    "logit_scale": scale_of_logits,
    "more_effort": more_effort,
    "noise_is_weaker": noise,
    "black_box": black_box,
    "transfer": transfer,
    "identity_gradient": identity_gradient,
    "large_radius": far_away,
    "finite_differences": finite_differences,
    "planted_examples": planted_examples,
}
