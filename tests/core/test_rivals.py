import torch

from classward.core.rivals import likeliest_rivals

LOGITS = torch.tensor([[3.0, 1, 0, 2], [3.0, 1, 0, 2]])


def test_the_label_is_no_rival_whatever_its_rank():
    labels = torch.tensor([0, 1])
    assert likeliest_rivals(LOGITS, labels, 2).tolist() == [[3, 1], [0, 3]]


def test_there_are_no_more_rivals_than_other_classes():
    assert likeliest_rivals(LOGITS, torch.tensor([2, 3]), 9).tolist() == [[0, 3, 1], [0, 1, 2]]
