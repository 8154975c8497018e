"""Robust accuracy against the radius: where it is lost, and the area under the curve.

Each radius is tried on the samples that stood at all smaller ones. One that fell has fallen:
its image lies in every larger ball too. So the curve never rises, whatever the attack does, and
like every robust accuracy it is an upper bound.

Source: Carlini et al., arXiv:1902.06705 (accuracy against the perturbation budget).
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from classward.attacks.pgd import PGD
from classward.core.balls import ball as make_ball
from classward.core.losses import margin
from classward.core.types import Precision
from classward.core.wilson import wilson_bounds
from classward.data.split import Split
from classward.evaluation.judge import Model
from classward.evaluation.run_attack import run_attack
from classward.records.curve_result import Curve, Interval
from classward.records.result import Matrix, Passes

FRACTIONS = (0, 1 / 4, 1 / 2, 3 / 4, 1, 3 / 2, 2)  # of the radius that is asked about
STEPS = 20


def budget_curve(
    model: Model,
    data: Split,
    *,
    eps: float,
    norm: Literal["linf", "l2"],
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
    precision: Precision = "exact",
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """Robust accuracy at 0 to 2 `eps`, under PGD-20 on the margin.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        eps: The radius that is asked about, in pixel units.
        norm: Norm of the ball; an l-inf radius beyond 1 is 1, for pixels span [0, 1].
        seed: Seed of the random starts.
        batch_size: Images at once.
        device: A torch device.
        precision: "exact", or "fast" to lead the attacks by bfloat16; see `run_attack`.
        progress: Called after each radius with radii done and radii in all.

    Raises:
        InputError: If model, data and options do not fit each other.
    """
    asked = _pgd(norm, eps)
    most = 1.0 if norm == "linf" else torch.inf
    radii = sorted({min(fraction * eps, most) for fraction in FRACTIONS})
    data = data.select(data.ids.argsort())
    standing, counts, passes = torch.arange(len(data)), [], []
    for done, radius in enumerate(radii, start=1):
        if len(standing):
            record = run_attack(
                model,
                _pgd(norm, radius),
                data.select(standing),
                loss=margin,
                until="first_success",
                seed=seed,
                batch_size=batch_size,
                device=device,
                precision=precision,
            )
            standing = standing[record.robust]
            passes.append(record.passes)
        counts.append(data.labels[standing].bincount(minlength=data.classes))
        if progress is not None:
            progress(done, len(radii))
    totals = data.labels.bincount(minlength=data.classes)
    return _curve(
        torch.stack(counts, dim=1),
        totals,
        radii=radii,
        classes=data.class_names,
        norm=norm,
        attack=f"{asked} on margin, until first success",
        passes=Passes(
            forward=sum(entry.forward for entry in passes),
            backward=sum(entry.backward for entry in passes),
        ),
    )


def area(radii: list[float], accuracy: Float64[Tensor, "*k m"]) -> Float64[Tensor, "*k"]:
    """Area under curves by the trapezoid rule, over the largest radius; at 0 alone, the value.

    >>> area([0.0, 1.0, 2.0], torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)).item()
    0.5
    """
    if radii[-1] == 0:
        return accuracy[..., 0]
    places = torch.tensor(radii, dtype=torch.float64)
    return torch.trapezoid(accuracy, places, dim=-1) / places[-1]


def _pgd(norm: str, radius: float) -> PGD:
    """At radius 0 one step goes nowhere, and what is wrong without attack drops out."""
    ball = make_ball(norm, radius)
    return PGD(ball=ball, steps=STEPS if radius else 1, step_size=radius / 4 or 1.0)


def _curve(
    counts: Int64[Tensor, "k m"],
    totals: Int64[Tensor, " k"],
    *,
    radii: list[float],
    **rest: Any,
) -> Curve:
    """Shares, intervals and areas of the samples of each class that stood at each radius."""
    every, samples = counts.sum(dim=0), totals.sum()
    accuracy, share = every / samples.double(), counts / totals[:, None].double()
    return Curve(
        radii=radii,
        accuracy=accuracy.tolist(),
        intervals=[bounds for bounds in _intervals(every, samples) if bounds is not None],
        per_class=_defined(share),
        class_intervals=[_intervals(*row) for row in zip(counts, totals, strict=True)],
        auc=area(radii, accuracy).item(),
        class_auc=_defined(area(radii, share)[None])[0],
        samples=int(samples),
        **rest,
    )


def _intervals(counts: Int64[Tensor, " m"], total: Int64[Tensor, ""]) -> list[Interval | None]:
    if total == 0:
        return [None] * len(counts)
    low, high = wilson_bounds(counts, total.expand_as(counts))
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _defined(values: Float64[Tensor, "k m"]) -> Matrix:
    return [[None if value != value else value for value in row] for row in values.tolist()]
