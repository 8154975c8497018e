"""Our AutoAttack against the original: the same images survive, on five models.

What survives the original was stored by `benchmarks/autoattack_golden.py`.
"""

import json
from pathlib import Path

import pytest
import torch

from classward.core.balls import ball
from classward.data.load import load_data
from classward.evaluation.judge import model_digest
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import aa_lite, autoattack
from classward.models.load import load_model

GOLDEN = Path(__file__).parent / "golden"
ENTRIES = json.loads((GOLDEN / "autoattack.json").read_text())


def subject(name, real):
    entry = ENTRIES[name]
    weights = entry["weights"]
    folder = None if weights is None else real(weights)
    model = load_model(f"{GOLDEN / 'models.py'}:{name}", weights=weights and folder / weights)
    return entry, model, load_data(entry["data"], samples=entry["samples"], root=folder)


def golden_sets(entry, attack):
    """Ids that survive every seed of the original, and those that survive some seed."""
    kept = [set(map(int, seed[attack].split())) for seed in entry["survivors"].values()]
    assert len(kept) == 3
    return set.intersection(*kept), set.union(*kept)


def drift(entry, model):
    """Weights trained on another processor differ in the last bits: images may turn."""
    return 0 if model_digest(model) == entry["digest"] else 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_the_same_images_survive(name, real):
    entry, model, data = subject(name, real)
    result = run_suite(model, autoattack(ball(entry["norm"], entry["eps"])), data)
    assert set(result.ids[result.correct].tolist()) == golden_sets(entry, "clean")[0]
    robust, (always, sometimes) = (
        set(result.ids[result.robust].tolist()),
        golden_sets(entry, "square"),
    )
    torn = sometimes - always  # where the original does not agree with itself
    assert len((robust ^ always) - torn) <= drift(entry, model)
    assert len((robust ^ always) & torn) <= 1 + drift(entry, model)


def test_a_shortened_suite_leaves_the_same_images_and_hardly_more(real):
    entry, model, data = subject("digits_standard", real)
    data = data.select(torch.arange(30))
    lite = aa_lite(ball(entry["norm"], entry["eps"]), steps=50, target_classes=2, queries=50)
    result = run_suite(model, lite, data)
    robust, among = set(result.ids[result.robust].tolist()), set(data.ids.tolist())
    always, sometimes = (kept & among for kept in golden_sets(entry, "square"))
    assert len(always - robust) <= drift(entry, model)
    assert len(robust - sometimes) <= 1 + drift(entry, model)
    assert 5 < len(robust) < 25
