"""What a page says of supporting classes: more than chance only where it is."""

from dataclasses import replace

import pytest
import torch

from classward.correction.corrector import Corrector
from classward.evaluation.explain import explain
from classward.records.record import Record
from classward.records.saved import dump, load
from classward.reporting.explanation import explanation_sentences


@pytest.fixture(scope="module")
def explanation():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    clean = torch.randn(200, 4, generator=generator)
    clean[torch.arange(200), labels] += 4
    record = Record.from_arrays(
        labels=labels, clean_logits=clean, adversarial_logits=2 * clean.roll(1, dims=1)
    )
    fitted = Corrector.small(hidden=16, epochs=5).fit_records([record])
    return explain(fitted, {"pgd": record})


@pytest.mark.parametrize(
    ("share", "chance", "said"),
    [(0.40, 0.20, ", more than"), (0.24, 0.20, "no more than"), (0.10, 0.20, "no more than")],
)
def test_more_is_said_of_what_is_beyond_chance(explanation, share, chance, said):
    (entry,) = explanation.attacks
    references = {
        name: replace(reference, top_share=chance)
        for name, reference in entry.joined.references.items()
    }
    joined = replace(entry.joined, top_share=share, references=references)
    told = explanation_sentences(
        replace(explanation, attacks=[replace(entry, samples=200, joined=joined)])
    )
    assert said in told["What it listens to"]


def test_it_is_saved_and_read_as_it_was(explanation):
    assert load(dump(explanation), "here") == explanation
