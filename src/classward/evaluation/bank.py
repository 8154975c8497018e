"""The bank of clean logits that logit mimicry draws from.

It holds typical ones: of each class the half with the largest margins. The nearest of all are
those of images that are nearly misclassified, and a corrector may take them for attacked.
"""

import torch
from jaxtyping import Float32
from torch import Tensor

from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.memory import Room
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.records.record import Record

Bank = Float32[Tensor, "m k"]


def clean_bank(
    model: Model, data: Split, *, batch_size: int = 128, device: str = "cpu"
) -> Bank:
    """Typical logits of the samples that `model` classifies right, on the CPU.

    Raises:
        InputError: If model and data do not fit each other, or no sample is right.
    """
    with judging(model, device):
        judge, room, right = Judge(model, data, device), Room(batch_size), []
        done = 0
        while done < len(data):
            logits, labels = room.fit(lambda most, first=done: _asked(judge, first, most))
            right.append(logits[logits.argmax(dim=1) == labels].cpu())
            done += len(labels)
    return _typical(torch.cat(right), data.name)


def bank_of(record: Record) -> Bank:
    """Typical clean logits of the samples of a record that were classified right.

    Raises:
        InputError: If none was.
    """
    return _typical(record.clean_logits[record.correct], "the record")


def _asked(judge: Judge, first: int, most: int) -> tuple[Tensor, Tensor]:
    last = min(first + most, len(judge.data))
    images, labels, ids = judge.batch(torch.arange(first, last))
    return judge.logits(images, ids), labels


def _typical(logits: Float32[Tensor, "n k"], source: str) -> Bank:
    if len(logits) == 0:
        raise InputError(f"no sample of {source} is classified right: there is no bank")
    said = logits.argmax(dim=1)
    lead, least = -margin(logits, said), torch.zeros(logits.shape[1])
    for label in said.unique().tolist():
        least[label] = lead[said == label].median()  # the lower one of two
    return logits[lead >= least[said]]
