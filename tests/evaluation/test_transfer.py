from dataclasses import fields

import numpy as np
import pytest
import torch

from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.evaluation.transfer import (
    damaged,
    recovered,
    standardised,
    transfer_table,
)
from classward.records.record import Record
from classward.records.rows import Rows


class Lowest(Corrector):
    """Says the class of the lowest logit."""

    def predict(self, X):  # noqa: N803
        return np.asarray(X).argmin(axis=1)


class Highest(Corrector):
    """Corrects nothing."""

    def predict(self, X):  # noqa: N803
        return np.asarray(X).argmax(axis=1)


CORRECTORS = {"lowest": Lowest(), "highest": Highest()}
LABELS = torch.tensor([0, 1, 2, 0, 1])
CLEAN = 5 * torch.eye(3)[torch.tensor([0, 1, 2, 0, 0])]  # the last sample is wrong when clean


def record(adversarial, labels=LABELS, clean=CLEAN, settings=None):
    return Record.from_arrays(
        labels=labels, clean_logits=clean, adversarial_logits=adversarial, settings=settings
    )


def part(whole, ids):
    """The samples `ids` of a record."""
    columns = {
        name: values[ids] if isinstance(values, torch.Tensor) else values
        for name, values in (
            (field.name, getattr(whole, field.name)) for field in fields(whole)
        )
    }
    for name in ("clean_rows", "adversarial_rows"):
        columns[name] = Rows([columns[name].take(ids)])
    return Record(**columns)


# Sinking makes the label the lowest logit, save for sample 3; nothing leaves all as it was.
SINKING = record(-CLEAN + torch.tensor([[0.0, 0, 0]] * 3 + [[9.0, 0, -9]] + [[0.0, -7, 0]]))
NOTHING = record(CLEAN.clone())


def test_is_the_table_worked_out_by_hand():
    table = transfer_table(CORRECTORS, {"sinking": SINKING, "nothing": NOTHING})
    assert table.attacks == ["sinking", "nothing", "clean"]
    assert table.correctors == ["lowest", "highest"]
    counts = [[share.count for share in row] for row in table.accuracy]
    assert counts == [[3, 1], [0, 4], [0, 4]]
    assert table.samples == 4  # right when clean
    assert {share.total for row in table.accuracy for share in row} == {4}


def test_every_sample_counts_if_asked():
    table = transfer_table(CORRECTORS, {"sinking": SINKING, "nothing": NOTHING}, every=True)
    assert table.samples == 5
    # Of the one that is wrong when clean, the label is always the lowest logit.
    counts = [[share.count for share in row] for row in table.accuracy]
    assert counts == [[4, 1], [1, 4], [1, 4]]


def test_recovered_are_of_those_that_fell():
    # Right and fallen are 0, 1 and 2, whose label is now the lowest; 3 stood, 4 was wrong.
    assert (recovered(Lowest(), SINKING).count, recovered(Lowest(), SINKING).total) == (3, 3)
    assert recovered(Highest(), SINKING).count == 0
    assert recovered(Lowest(), NOTHING).value is None  # nothing fell


def test_damaged_are_of_those_right_when_clean():
    for corrector, count in ((Lowest(), 4), (Highest(), 0)):
        share = damaged(corrector, SINKING)
        assert (share.count, share.total) == (count, 4)


def test_standardised_logits_have_the_other_spread_and_say_the_same():
    generator = torch.Generator().manual_seed(0)
    theirs = 7 * torch.randn(400, 5, generator=generator) - 3
    ours = 0.2 * torch.randn(300, 5, generator=generator) + 40
    made = standardised(theirs, theirs, ours)
    assert made.mean().item() == pytest.approx(ours.mean().item(), rel=1e-5)
    assert made.std().item() == pytest.approx(ours.std().item(), rel=1e-4)
    assert torch.equal(made.argmax(dim=1), theirs.argmax(dim=1))
    # By hand: mean 2 and deviation sqrt(2) become mean 0 and deviation 2 sqrt(2).
    by_hand = standardised(
        torch.tensor([[5.0, 2.0]]), torch.tensor([[1.0, 3.0]]), torch.tensor([[-2.0, 2.0]])
    )
    torch.testing.assert_close(by_hand, torch.tensor([[6.0, 0.0]]))
    with pytest.raises(InputError, match="all equal"):
        standardised(theirs, torch.ones(3, 5), ours)


def test_shares_have_their_wilson_interval():
    share = transfer_table(CORRECTORS, {"sinking": SINKING}).accuracy[0][0]
    assert share.value == 0.75
    assert (share.low, share.high) == pytest.approx((0.3006418, 0.9544127), abs=1e-6)


def test_only_samples_that_all_records_hold_count():
    short = part(SINKING, torch.tensor([0, 3, 4]))
    table = transfer_table(CORRECTORS, {"sinking": short, "nothing": NOTHING})
    assert [[share.count for share in row] for row in table.accuracy] == [
        [1, 1],
        [0, 2],
        [0, 2],
    ]
    assert table.samples == 2


def test_without_selected_samples_shares_are_undefined():
    wrong = part(SINKING, torch.tensor([4]))
    table = transfer_table({"lowest": CORRECTORS["lowest"]}, {"sinking": wrong})
    assert table.samples == 0 and table.accuracy[0][0].value is None


def test_fitted_correctors_defend_against_their_own_attack():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    clean = 5 * torch.eye(3)[labels] + torch.rand(300, 3, generator=generator)
    records = {
        "roll": record(4 * clean.roll(1, dims=1), labels, clean),
        "sink": record(-4 * clean, labels, clean),
    }
    correctors = {
        name: Corrector.small(hidden=128, epochs=30, batch_size=64).fit_records([records[name]])
        for name in records
    }
    shares = [[s.value for s in row] for row in transfer_table(correctors, records).accuracy]
    assert min(shares[0][0], shares[1][1], *shares[2]) > 0.95
    assert shares[0][1] < 0.5  # what sinks the label is no guide to what rolls it


@pytest.mark.parametrize(
    ("correctors", "records", "said"),
    [
        ({}, {"a": NOTHING}, "at least one corrector and one record"),
        (CORRECTORS, {}, "at least one corrector and one record"),
        (
            CORRECTORS,
            {"a": part(NOTHING, torch.tensor([0, 1])), "b": part(NOTHING, torch.tensor([2]))},
            "records a, b have no sample in common",
        ),
        (
            CORRECTORS,
            {"a": NOTHING, "b": record(CLEAN, labels=LABELS.flip(0))},
            "records 'a' and 'b' are of different data",
        ),
        (
            CORRECTORS,
            {"a": NOTHING, "b": record(CLEAN, clean=CLEAN + 1)},
            "records 'a' and 'b' are of different classifiers",
        ),
        (
            CORRECTORS,
            {"a": NOTHING, "b": record(CLEAN, settings={"until": "first_success"})},
            "record 'b' stopped at first success; attack anew",
        ),
    ],
)
def test_what_fits_not_together_is_refused(correctors, records, said):
    with pytest.raises(InputError, match=said) as caught:
        transfer_table(correctors, records)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_a_corrector_for_other_classes_is_refused():
    other = Corrector(epochs=1).fit(2 * np.eye(4), np.arange(4))
    with pytest.raises(InputError, match="X has 3 features, but Corrector is expecting 4"):
        transfer_table({"other": other}, {"a": NOTHING})
