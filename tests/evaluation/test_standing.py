"""Survivors are attacked again; without any there is nothing to say against the number."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from classward.core.balls import Linf
from classward.data.load import load_data
from classward.evaluation.plan import passes_of
from classward.evaluation.standing import MOST, survivors
from classward.evaluation.standing_checks import CHECKS, checks_on


def ridge():
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data))).flatten(1)
    rows = torch.cat([images, torch.ones(len(data), 1)], 1)
    aims = nn.functional.one_hot(data.labels, 10).float() - 0.1
    solved = torch.linalg.solve(rows.T @ rows + torch.eye(65), rows.T @ aims)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    network[1].weight.data, network[1].bias.data = solved[:-1].T.contiguous(), solved[-1]
    return network.eval()


DATA = load_data("digits", split="test", samples=100)


def standing(model, eps=0.02, **more):
    """All that a network gets right, as if the attacks of an audit had turned nothing else."""
    images = DATA.batch(torch.arange(len(DATA)))
    robust = ridge()(images).argmax(dim=1) == DATA.labels
    return survivors(model, DATA, robust, ball=Linf(eps), seed=0, **more)


def failed(found):
    return {check.name for check in found if not check.passed}


def test_spread_over_what_stands():
    found = standing(ridge())
    assert len(found.data) == 64
    assert found.data.labels.unique().tolist() == list(range(10))


@pytest.mark.parametrize(("share", "eps"), [(0, 0.1), (1, 0)])
def test_nothing_to_look_for(share, eps):
    robust = torch.full((len(DATA),), bool(share))
    found = survivors(ridge(), DATA, robust, ball=Linf(eps), seed=0)
    assert found is None
    checks = checks_on(found)
    assert [check.name for check in checks] == list(CHECKS)
    assert not failed(checks)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = ridge()

    def forward(self, images):
        return self.network(images.detach())


def test_what_a_longer_attack_finds_too_is_suspect_and_not_masked():
    """At this radius a linear network keeps nothing: whoever said so had a weak attack."""
    found = failed(checks_on(standing(ridge(), eps=0.3)))
    assert "more_effort" in found
    assert not found & {"logit_scale", "black_box", "identity_gradient", "large_radius"}
    assert not found & {"finite_differences", "planted_examples"}


def test_what_only_works_without_the_gradient_or_past_it_shows_a_mask():
    found = failed(checks_on(standing(Masked(), eps=0.3)))
    assert {"black_box", "identity_gradient", "finite_differences", "planted_examples"} <= found
    assert "more_effort" not in found


def test_a_surrogate_shows_what_masked_gradients_hide():
    check = CHECKS["transfer"](standing(Masked(), eps=0.3, surrogates=[ridge()]))
    assert not check.passed
    assert "1 other network(s)" in check.evidence


def test_where_no_surrogate_is_given_the_model_teaches_one():
    masked, sound = (CHECKS["transfer"](standing(m, eps=0.1)) for m in (Masked(), ridge()))
    assert not masked.passed
    assert "a network taught by the model (agreement 1" in masked.evidence
    assert sound.passed, sound.evidence


class Scrambled(nn.Module):
    """Answers of which no network can learn more than the label."""

    def forward(self, images):
        answers = (images.flatten(1).double().sum(dim=1) * 1e6).long() % 10
        return 5 * nn.functional.one_hot(answers, 10).float()


def test_a_surrogate_that_learned_nothing_is_not_asked():
    check = CHECKS["transfer"](standing(Scrambled(), eps=0.1))
    assert check.passed
    assert "of no use" in check.evidence


def test_what_the_checks_ask_is_counted_and_no_more_than_was_said():
    spent, asked = [], 0

    def network(images):
        nonlocal asked
        asked += len(images)
        return model(images)

    model = ridge()
    checks_on(standing(network, eps=1e-4, spent=spent))  # next to nothing falls
    forward, backward = (sum(getattr(p, way) for p in spent) for way in ("forward", "backward"))
    surrogate = 20 * MOST  # its own steps, which no model sees
    probes = 8 * len(spent)
    assert forward - surrogate <= asked <= forward - surrogate + probes
    said = passes_of({}, len(DATA))
    assert 0.7 * said.forward < forward <= said.forward
    assert 0.7 * said.backward < backward <= said.backward


def test_what_would_lower_the_number_by_little_is_forgiven():
    """Few of many samples stand, and most of them fall: the number was low anyway."""
    images = DATA.batch(torch.arange(len(DATA)))
    robust = ridge()(images).argmax(dim=1) == DATA.labels
    few = robust & (robust.cumsum(dim=0) <= 8)
    more = {"ball": Linf(0.3), "seed": 0}
    assert "more_effort" in failed(checks_on(survivors(ridge(), DATA, few, **more)))
    padded = survivors(ridge(), DATA, few, **more)
    assert padded is not None
    forgiven = replace(padded, of_all=0.02)
    assert "more_effort" not in failed(checks_on(forgiven))
    assert survivors(ridge(), DATA, few & (few.cumsum(dim=0) <= 2), **more) is None
