"""Attack records whose right correction is known."""

import pytest
import torch

from classward.records.record import Record


@pytest.fixture(scope="session")
def rolled():
    """Make a record of four classes: the attack triples the logits and rolls them by one."""

    def make(samples=400, seed=0, classes=4):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(samples) % classes
        clean = torch.randn(samples, classes, generator=generator)
        clean[torch.arange(samples), labels] += 5
        return Record.from_arrays(
            labels=labels,
            clean_logits=clean,
            adversarial_logits=3 * clean.roll(1, dims=1),
            settings={"attack": "Roll()"},
        )

    return make
