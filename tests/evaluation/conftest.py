"""Two audits of linear digits classifiers on the same samples, the second one clearly worse."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from classward.data.load import load_data
from classward.evaluation.audit import audit

EPS = 0.03


def make_ridge(damage=0.0):
    """Ridge regression in closed form, its weights rescaled in waves."""
    data = load_data("digits", split="train")
    images = data.batch(torch.arange(len(data))).flatten(1)
    aims = nn.functional.one_hot(data.labels, 10).float() - 0.1
    rows = torch.cat([images, torch.ones(len(data), 1)], 1)
    solved = torch.linalg.solve(rows.T @ rows + torch.eye(65), rows.T @ aims)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    waves = 1 + damage * torch.sin(torch.arange(640.0).view(10, 64) * 3)
    network[1].weight.data = waves * solved[:-1].T
    network[1].bias.data = solved[-1]
    return network


@pytest.fixture(scope="package")
def audits(tmp_path_factory):
    """Models, data, results and folders: `good` and `bad`."""
    root = tmp_path_factory.mktemp("audits")
    data = load_data("digits", samples=200)
    models = SimpleNamespace(good=make_ridge(), bad=make_ridge(0.9))
    made = {
        name: audit(model, data, eps=EPS, model_name=name, out=root / name)
        for name, model in vars(models).items()
    }
    return SimpleNamespace(
        models=models,
        data=data,
        eps=EPS,
        root=root,
        good=root / "good",
        bad=root / "bad",
        results=SimpleNamespace(**made),
    )
