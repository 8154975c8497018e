"""Attack records whose right correction is known; a shelf of tiny networks."""

import pytest
import torch

from classward.experiments.shelf import Shelf
from classward.records.record import Record

TINY = {
    "model": "small_cnn",
    "data": "digits",
    "training_samples": 60,
    "attack": {"name": "pgd", "eps": 0.2, "steps": 1, "step_size": 0.2},
    "recipe": {"epochs": 1, "batch_size": 20, "validation": 10},
}


@pytest.fixture(scope="session")
def sunk():
    """Make a record of four classes: the attack moves the logit of the label to the bottom."""

    def make(samples=200, seed=0, attack="Sink()"):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(samples) % 4
        clean = torch.randn(samples, 4, generator=generator)
        clean[torch.arange(samples), labels] += 6
        attacked = clean.clone()
        attacked[torch.arange(samples), labels] -= 12
        return Record.from_arrays(
            labels=labels,
            clean_logits=clean,
            adversarial_logits=attacked,
            settings={"attack": attack},
        )

    return make


@pytest.fixture
def told():
    return []


@pytest.fixture
def shelf(tmp_path, told):
    return Shelf(
        path=tmp_path,
        scale="small",
        data_root=None,
        seed=0,
        run={"batch_size": 32, "device": "cpu", "precision": "exact"},
        tell=lambda *what: told.append(what),
        own={"tiny": TINY},
    )
