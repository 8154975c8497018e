import sys
from types import SimpleNamespace

import pytest

from classward.core.errors import InputError
from classward.training.board import board

MADE = []


class Writer:
    """What is used of TensorBoard's."""

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.written, self.flushed = folder, purge_step, [], 0
        MADE.append(self)

    def add_scalar(self, *arguments):
        self.written.append(arguments)

    def flush(self):
        self.flushed += 1


def test_writes_every_number_of_every_epoch_below_the_run_folder(tmp_path, monkeypatch):
    fake = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    MADE.clear()
    write = board(tmp_path)
    assert MADE == []
    for epoch in (3, 4):
        write({"epoch": epoch, "loss": {"a": 0.5}, "training": {"overlap": None, "pairs": []}})
    (made,) = MADE
    assert made.folder == str(tmp_path / "tensorboard") and made.purge_step == 3
    assert made.written == [("loss/a", 0.5, 3), ("loss/a", 0.5, 4)]
    assert made.flushed == 2


def test_absent_tensorboard_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'classward\[tensorboard\]'"):
        board(tmp_path)
