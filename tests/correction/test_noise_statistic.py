"""The noise statistic on models whose answer to noise is known."""

import pytest
import torch
from torch import nn

from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.correction.noise_statistic import NoiseStatistic

IDS = torch.arange(12)
LABELS = IDS % 3


def images(generator_seed=0, count=12):
    generator = torch.Generator().manual_seed(generator_seed)
    noise = 0.05 * torch.randn(count, 3, generator=generator)
    return (torch.eye(3)[torch.arange(count) % 3] * 0.6 + 0.2 + noise).view(count, 3, 1, 1)


def linear(asked):
    return asked.flatten(1) * 10


def squares(asked):
    """Noise changes it by more the larger a pixel is."""
    return 10 * asked.flatten(1) ** 2


def fitted(model=squares, **options):
    made = NoiseStatistic(model, **{"noise": 0.1, "draws": 6, "seed": 5} | options)
    return made.fit([(images(), LABELS, IDS)])


def by_hand(model, seen, ids, draws=6):
    """The changes of f_z - f_y of each image under each draw: draw, image, z."""
    rng = SampleRandom(5, "noise statistic", ids)
    before, found = model(seen), []
    said = before.argmax(dim=1, keepdim=True)
    for _ in range(draws):
        after = model(seen + 0.1 * rng.normal(seen.shape[1:]))
        change = after - before
        found.append(change - change.gather(1, said))
    return said.squeeze(1), torch.stack(found).double()


def test_against_a_slow_way():
    made, other, ids = fitted(), images(1), IDS + 100
    _, trained = by_hand(squares, images(), IDS)
    said, changes = by_hand(squares, other, ids)
    wanted = []
    for n, y in enumerate(said.tolist()):
        own = trained[:, LABELS == y].reshape(-1, 3)  # every draw of every image of the class
        odd = (changes[:, n].mean(dim=0) - own.mean(dim=0)) / own.std(dim=0, correction=0)
        wanted.append(max(odd[z].item() for z in range(3) if z != y))
    torch.testing.assert_close(
        made.scores(other, ids), torch.tensor(wanted, dtype=torch.float64), rtol=1e-4, atol=1e-4
    )


def test_a_trap_leans_back():
    """A narrow pit in which class 1 wins: noise throws every image out of it."""

    def pit(asked):
        flat = asked.flatten(1) * 10
        inside = (asked.flatten(1) - 0.5).abs().amax(dim=1, keepdim=True) < 0.02
        return torch.where(inside, torch.tensor([0.0, 30.0, 0.0]), flat)

    made = NoiseStatistic(pit, noise=0.1, draws=8).fit([(images(), LABELS, IDS)])
    trapped = torch.full((5, 3, 1, 1), 0.5)
    odd, usual = made.scores(trapped, IDS[:5]), made.scores(images(3), IDS)
    assert odd.min() > usual.max() and made.flags(trapped, IDS[:5]).all()


def test_the_threshold_flags_one_in_twenty_of_the_fit():
    seen, ids = images(0, 120), torch.arange(120)
    made = NoiseStatistic(squares, noise=0.1, draws=3).fit([(seen, ids % 3, ids)])
    assert made.flags(seen, ids).sum() == 6


def test_batches_and_order_do_not_matter():
    whole, parts = fitted(), fitted(batch_size=5)
    halves = NoiseStatistic(squares, noise=0.1, draws=6, seed=5).fit(
        [(images()[rows], LABELS[rows], IDS[rows]) for rows in (IDS[6:], IDS[:6])]
    )
    for made in (parts, halves):
        torch.testing.assert_close(made.scores(images(), IDS), whole.scores(images(), IDS))
    backwards = whole.scores(images().flip(0), IDS.flip(0)).flip(0)
    torch.testing.assert_close(backwards, whole.scores(images(), IDS))


def test_what_is_wrong_teaches_nothing():
    """One image with a false label is left out, and a class of such images is missed."""
    wrong = LABELS.clone()
    wrong[0] = 1
    made = NoiseStatistic(squares, noise=0.1, draws=6, seed=5)
    without = made.fit([(images()[1:], LABELS[1:], IDS[1:])]).mean_
    assert torch.equal(made.fit([(images(), wrong, IDS)]).mean_, without)
    with pytest.raises(InputError, match="no image of class 0"):
        made.fit([(images(), torch.where(LABELS == 0, 1, LABELS), IDS)])


def test_a_module_keeps_its_mode():
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3, 3)).train()
    network[2].weight.data, network[2].bias.data = 10 * torch.eye(3), torch.zeros(3)
    made = fitted(network)
    torch.testing.assert_close(made.scores(images(), IDS), fitted(linear).scores(images(), IDS))
    assert network.training and network[1].training


def test_refused():
    with pytest.raises(ValueError, match="noise"):
        NoiseStatistic(linear, noise=0.0)
    with pytest.raises(ValueError, match="draws"):
        NoiseStatistic(linear, draws=0)
