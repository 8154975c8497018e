"""Attack records whose right correction is known."""

import pytest
import torch

from classward.records.record import Record


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
