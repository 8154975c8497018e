import pytest
import torch

from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.bank import bank_of, clean_bank
from classward.records.record import Record


def logits(images):
    return 10 * images[:, 0, 0, :3]


def rows(*values):
    return torch.tensor(values, dtype=torch.float32)


LOGITS = rows([9, 1, 0], [8, 1, 0], [5, 4, 0], [0, 7, 1], [0, 2, 6], [0, 9, 1], [3, 4, 0])
LABELS = torch.tensor([0, 0, 0, 1, 2, 2, 1])  # sample 5 is wrong
TYPICAL = rows([9, 1, 0], [8, 1, 0], [0, 7, 1], [0, 2, 6], [3, 4, 0])


def test_holds_of_each_class_the_half_with_the_largest_margins():
    split = Split(LOGITS[:, None, None] / 10, LABELS, list("abc"))
    kept = clean_bank(logits, split, batch_size=2)
    torch.testing.assert_close(kept, TYPICAL)


def test_a_record_has_one_too():
    made = Record.from_arrays(labels=LABELS, clean_logits=LOGITS, adversarial_logits=LOGITS)
    assert torch.equal(bank_of(made), TYPICAL)


def test_where_nothing_is_right_there_is_none():
    wrong = Record.from_arrays(
        labels=[1, 2], clean_logits=LOGITS[:2], adversarial_logits=LOGITS[:2]
    )
    with pytest.raises(InputError, match="no sample of the record is classified right"):
        bank_of(wrong)
