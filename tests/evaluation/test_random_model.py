"""Random models: found on any batch, attacked through their mean, never called sound."""

import torch
from torch import nn

from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.audit import audit
from classward.evaluation.random_model import is_random, steady

IMAGES = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
DATA = Split(IMAGES, torch.arange(40) % 3)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def noisy(images):
    return NETWORK(images + 0.05 * torch.randn_like(images))


def noisy_at_the_end(images):
    """Random for one batch of the data alone."""
    last = (images[0] == IMAGES[30]).all()
    return NETWORK(images) + (torch.randn(len(images), 3) if last else 0)


def test_one_random_batch_is_enough():
    assert not is_random(NETWORK, DATA, batch_size=10)
    with torch.random.fork_rng():
        assert is_random(noisy, DATA, batch_size=10)
        assert is_random(noisy_at_the_end, DATA, batch_size=10)


def test_the_mean_is_steady_and_near_the_network():
    mean = steady(noisy, 0)
    assert torch.equal(mean(IMAGES), mean(IMAGES))
    torch.testing.assert_close(mean(IMAGES), NETWORK(IMAGES), atol=0.2, rtol=0)


def test_an_audit_says_what_single_draws_do():
    data = load_data("digits", samples=50)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def random(images):
        return network(images + 0.1 * torch.randn_like(images))

    with torch.random.fork_rng():
        found = audit(random, data, eps=0.01)
    (check,) = [check for check in found.checks if check.name == "deterministic"]
    assert not check.passed
    assert "20 draws each" in check.evidence
    assert found.verdict in {"suspect", "unsound"}
