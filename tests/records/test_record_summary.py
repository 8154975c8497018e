"""Queries to success: whom they are counted over, and what nobody reached."""

from dataclasses import replace

import pytest
import torch

from classward.records.record import Record
from classward.records.record_summary import lines, queries, success_within, summary

# Sample 0 is wrong before the attack; 1, 2 and 3 fall; 4 stands; 5 fell unseen by the oracle.
FIRST = [1, 12, 3, 90, -1, -1]
SPENT = [1, 20, 20, 100, 120, 120]


def record(first=FIRST, spent=SPENT, after=(1, 1, 1, 1, 0, 1)):
    def logits(said):
        return torch.nn.functional.one_hot(torch.tensor(said), 2).float()

    made = Record.from_arrays(
        labels=[0] * 6,
        clean_logits=logits([1, 0, 0, 0, 0, 0]),
        adversarial_logits=logits(list(after)),
    )
    return replace(made, first_success=torch.tensor(first), queries=torch.tensor(spent))


def test_counts_the_first_success_of_those_that_were_right():
    said = queries(record())
    assert said["median_to_success"] == 12 and said["mean_to_success"] == pytest.approx(35)
    assert said["largest_spent"] == 120


def test_success_grows_with_the_budget():
    said = queries(record())["success_rate_over_correct"]
    assert said == {"10": 1 / 5, "50": 2 / 5, "100": 3 / 5, "120": 3 / 5}
    assert [success_within(record(), n) for n in (2, 3, 89, 90)] == [0, 0.2, 0.4, 0.6]


def test_nobody_fell_and_nobody_was_right():
    stood = record(first=[1, -1, -1, -1, -1, -1], after=[1, 0, 0, 0, 0, 0])
    said = queries(stood)
    assert (said["median_to_success"], said["mean_to_success"]) == (None, None)
    assert set(said["success_rate_over_correct"].values()) == {0.0}
    assert "queries          to success: never; at most 120 spent" in lines(stood)
    wrong = replace(record(), labels=torch.tensor([0, 1, 1, 1, 1, 1]))
    assert success_within(wrong, 10) is None and "at most 120 spent" in lines(wrong)


def test_an_attack_that_had_the_gradient_says_nothing_of_queries():
    made = record(first=[-1] * 6, spent=[0] * 6)
    assert summary(made)["queries"] is None and "queries" not in lines(made)
