import numpy as np
import pytest
import torch
from torch import nn

from classward.correction.corrector import Corrector
from classward.experiments.correction_tables import Attacked, between_networks, own_attacks
from classward.records.record import Record


class Lowest(Corrector):
    """Says the class of the lowest logit."""

    def predict(self, X):  # noqa: N803
        return np.asarray(X).argmin(axis=1)


class Above(Corrector):
    """Says class 1 if the first logit is above 1, else class 0."""

    def predict(self, X):  # noqa: N803
        return (np.asarray(X)[:, 0] > 1).astype(int)


# Three of four are right when clean. The attack turns 0 and 1, spares 2, and turns 3 right.
LABELS = torch.tensor([0, 1, 0, 1])
CLEAN = torch.tensor([[2.0, 0], [0, 2], [2, 0], [2, 0]])
ATTACKED = torch.tensor([[0.0, 2], [2, 0], [2, 0], [0, 2]])


def attacked(name, clean, adversarial, corrector):
    record = Record.from_arrays(
        labels=LABELS, clean_logits=clean, adversarial_logits=adversarial
    )
    made = {"sink": corrector, "all_four": corrector}
    return Attacked(
        name=name,
        network=nn.Identity(),
        fitting={"sink": record},
        judging={"sink": record},
        correctors=made,
    )


MAIN = attacked("main", CLEAN, ATTACKED, Lowest())
SELECTED = torch.tensor([0, 1, 2])


def counts(entry):
    shares = (entry.clean, entry.clean_corrected, entry.attacked, entry.attacked_corrected)
    return [(share.count, share.total) for share in shares]


def test_own_attacks_are_the_table_worked_out_by_hand():
    first, union = own_attacks(MAIN, SELECTED)
    assert (first.corrector, union.corrector, first.attack) == ("sink", "all_four", "sink")
    assert counts(first.full) == [(3, 4), (1, 4), (2, 4), (2, 4)]
    assert counts(first.selected) == [(3, 3), (0, 3), (1, 3), (2, 3)]
    assert (first.recovered.count, first.recovered.total) == (2, 2)
    assert (first.damaged.count, first.damaged.total) == (3, 3)


def test_logits_of_another_network_are_brought_to_the_main_scale():
    # The other network gives ten times the logits of the main one, and 5 more.
    main = attacked("main", CLEAN, ATTACKED, Above())
    other = attacked("other", 10 * CLEAN + 5, 10 * ATTACKED + 5, Lowest())
    (row,) = between_networks(main, other, SELECTED)
    assert (row.network, row.attack) == ("other", "sink")
    clean = [share.count for share in (row.clean.bare, row.clean.own, row.clean.raw)]
    assert clean == [3, 0, 1]  # as they are, every first logit is above 1
    assert row.clean.standardised.count == 0
    assert row.attacked.standardised.count == 2
    assert {row.clean.bare.total, row.attacked.raw.total} == {3}
    again = own_attacks(main, SELECTED)[0].selected
    assert row.attacked.standardised == again.attacked_corrected
    assert row.clean.standardised == again.clean_corrected


def test_selected_are_those_asked_for():
    (row, _) = own_attacks(MAIN, torch.tensor([3]))
    assert counts(row.selected) == [(0, 1), (1, 1), (1, 1), (0, 1)]
    assert counts(row.full) == [(3, 4), (1, 4), (2, 4), (2, 4)]


@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_any_scale_and_shift_of_a_network_is_undone(scale):
    main = attacked("main", CLEAN, ATTACKED, Above())
    other = attacked("other", scale * CLEAN - 9, scale * ATTACKED - 9, Lowest())
    (row,) = between_networks(main, other, SELECTED)
    own = own_attacks(main, SELECTED)[0].selected
    assert row.attacked.standardised == own.attacked_corrected
