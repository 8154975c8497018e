"""The command line in this process, and a small model file for it."""

import textwrap
from types import SimpleNamespace

import pytest

from classward.cli.main import run

MODEL = """
import torch
from torch import nn
from classward.data.load import load_data

def ridge():
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data))).flatten(1)
    rows = torch.cat([images, torch.ones(len(data), 1)], 1)
    aims = nn.functional.one_hot(data.labels, 10).float() - 0.1
    solved = torch.linalg.solve(rows.T @ rows + torch.eye(65), rows.T @ aims)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    network[1].weight.data, network[1].bias.data = solved[:-1].T.contiguous(), solved[-1]
    return network

def model():
    return ridge().eval()

def probabilities():
    return nn.Sequential(ridge(), nn.Softmax(1)).eval()

def dropout():
    return nn.Sequential(nn.Dropout(0.5), ridge()).train()

def shifted():
    network = ridge()
    network[1].bias.data -= 0.5 * network[1].weight.data.sum(1)
    return network.eval()

def blind():
    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = ridge()
        def forward(self, images):
            return self.inner((images * 8).round() / 8)
    return Blind().eval()

def raises():
    raise RuntimeError("no such checkpoint")

def nothing():
    return None

def three_classes():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
"""


@pytest.fixture(scope="session")
def mine():
    """What is in the file `mine.py`."""
    return textwrap.dedent(MODEL)


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd, mine):
    """Call the command line in an empty folder; gives code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLASSWARD_DEBUG", raising=False)
    (tmp_path / "mine.py").write_text(mine)

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return call
