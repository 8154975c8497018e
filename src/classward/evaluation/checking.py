"""All checks of an audit, run on its records and, where these say too little, on the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from classward.core.balls import Ball
from classward.core.losses import cross_entropy
from classward.core.types import Precision
from classward.data.split import Split
from classward.evaluation import verdict as checks_of
from classward.evaluation.audited import worst_case
from classward.evaluation.blind import blind_share
from classward.evaluation.judge import Judge, Model
from classward.evaluation.plain_forward import gradients_inside
from classward.evaluation.plan import GRADIENTS, HEADLINE, Planned
from classward.evaluation.random_model import randomness
from classward.evaluation.standing import survivors
from classward.evaluation.standing_checks import checks_on
from classward.evaluation.watched import counted
from classward.records.audit_result import Check
from classward.records.record import Record
from classward.records.result import Passes


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an audit was asked.

    Attributes:
        given: The model as it was given.
        model: The model that is attacked: that, or the mean of its draws where it is random.
        random: Whether it is.
        data: The samples, in the order of their ids.
        ball: Norm and radius.
        planned: The attacks.
        expect_clean: Clean accuracy it is known to have.
        surrogates: Other networks, to attack it through.
        seed: Seed of the run.
        precision: What leads the attacks.
        run: Batch size and device.
        spent: What probes and checks asked; grows with each.
    """

    given: Model
    model: Model
    random: bool
    data: Split
    ball: Ball
    planned: Mapping[str, Planned]
    expect_clean: float | None
    surrogates: Sequence[Model]
    seed: int
    precision: Precision
    run: dict[str, Any]
    spent: list[Passes] = field(default_factory=list)


def checks_of_audit(
    asked: Asked, records: Mapping[str, Record], left_out: Sequence[str]
) -> list[Check]:
    """Every check, the cheapest first.

    Args:
        asked: What the audit was asked.
        records: What its attacks found.
        left_out: What it had no time for.
    """
    robust = worst_case(records)
    standing = survivors(
        asked.model,
        asked.data,
        robust,
        ball=asked.ball,
        seed=asked.seed,
        random=asked.random,
        surrogates=asked.surrogates,
        spent=asked.spent,
        **asked.run,
    )
    return [
        *_of_records(asked, records),
        checks_of.every_attack_ran(left_out),
        *_of_model(asked, records),
        *checks_on(standing),
    ]


def _of_records(asked: Asked, records: Mapping[str, Record]) -> list[Check]:
    head = records[HEADLINE]
    checks = [
        checks_of.gradients_are_finite(records),
        *(
            checks_of.gradients_are_not_zero(
                key, records[key], scale_free=free, blind=_blind(asked, key, records[key])
            )
            for key, free in GRADIENTS.items()
        ),
        checks_of.attacks_kept_their_word(records, asked.ball.eps, asked.ball.norm),
        checks_of.steps_help(records["fgsm"], head),
        checks_of.better_than_chance(head),
    ]
    if asked.expect_clean is not None:
        checks.append(checks_of.clean_accuracy_is_expected(head, asked.expect_clean))
    return checks


def _of_model(asked: Asked, records: Mapping[str, Record]) -> list[Check]:
    device = asked.run["device"]
    with counted(asked.given, device, asked.spent) as given:
        probe = Judge(given, asked.data, device).probe
        inside = gradients_inside(given, probe)
        repeatable = (
            randomness(
                given, asked.data, asked.planned[HEADLINE], seed=asked.seed, device=device
            )
            if asked.random
            else checks_of.outputs_are_repeatable(records)
        )
    return [
        repeatable,
        checks_of.mode_is_eval(asked.given, probe),
        checks_of.forward_is_plain(inside),
    ]


def _blind(asked: Asked, key: str, record: Record) -> float | None:
    """Asked for where many gradients of this attack were zero."""
    if not checks_of.many_zero_gradients(record):
        return None
    loss = asked.planned[key].loss or cross_entropy
    with counted(asked.model, asked.run["device"], asked.spent) as model:
        return blind_share(model, asked.data, loss, asked.ball, seed=asked.seed, **asked.run)
