"""SimBA: its bases, and the queries it spends on a linear model, counted by hand."""

import pytest
import torch

from classward.attacks.simba import SimBA, cosines
from classward.core.balls import L2, Linf
from classward.core.losses import cross_entropy
from classward.core.randomness import SampleRandom
from classward.evaluation.oracle import CountingOracle

WIDE = L2(100.0)  # no ball: the paper's own attack


def linear_scores(weight):
    """Class 1 grows along `weight` and does not win."""

    def model(images):
        score = images.flatten(1) @ weight
        return torch.stack([9 + 0 * score, score], dim=1)

    return model


def run(chosen, model, images, labels=None, until=None):
    asked = CountingOracle(model, len(images), chosen.queries, decisions=False)
    labels = torch.zeros(len(images)).long() if labels is None else labels
    rng = SampleRandom(0, "simba", torch.arange(len(images)))
    return chosen(asked, images, labels, rng=rng, until=until), asked.spent


@pytest.mark.parametrize("size", [1, 2, 8, 28])
def test_cosines_are_orthonormal_and_ordered_by_frequency(size):
    waves = cosines(size)
    torch.testing.assert_close(waves @ waves.T, torch.eye(size), atol=1e-5, rtol=0)
    crossings = (waves[:, 1:] * waves[:, :-1] < 0).sum(1).tolist()
    assert crossings == sorted(crossings)


def test_cosines_are_those_of_scipy():
    from scipy.fft import dct

    known = torch.from_numpy(dct(torch.eye(8).numpy(), norm="ortho", axis=0)).float()
    torch.testing.assert_close(cosines(8), known, atol=1e-6, rtol=0)


@pytest.mark.parametrize("space", ["pixel", "dct"])
def test_one_step_has_the_length_it_says(space):
    def model(images):
        seen.append(images)
        return torch.tensor([5.0, 0.0]).expand(len(images), 2)

    seen, images = [], torch.full((5, 3, 4, 4), 0.5)
    run(SimBA(ball=WIDE, queries=3, space=space), model, images)
    down, up = (image - images for image in seen[1:])
    torch.testing.assert_close(down.flatten(1).norm(dim=1), torch.full((5,), 0.2))
    torch.testing.assert_close(up, -down)
    assert (down.flatten(2).abs().sum(2) > 0).sum(1).tolist() == [1] * 5, "one channel each"


def test_each_direction_of_a_linear_model_is_kept_on_its_rising_side():
    weight = torch.tensor([1.0, -2.0, 0.5, -0.1])
    images = torch.full((3, 1, 2, 2), 0.5)
    queries = 1 + 2 * 2 + 1 * 2  # two rise upwards and need both sides, two downwards
    chosen = SimBA(ball=WIDE, queries=queries, step_size=0.01)
    out, spent = run(chosen, linear_scores(weight), images)
    step = (out - images).flatten(1)
    torch.testing.assert_close(step, 0.01 * weight.sign().expand(3, 4), atol=1e-6, rtol=0)
    assert spent.tolist() == [queries] * 3


def test_every_sample_has_its_own_order():
    weight = torch.ones(16)
    out, _ = run(
        SimBA(ball=WIDE, queries=3), linear_scores(weight), torch.full((8, 1, 4, 4), 0.5)
    )
    moved = (out - 0.5).flatten(1).argmax(1)
    assert len(set(moved.tolist())) > 3


def test_all_directions_come_before_one_comes_again():
    seen = []

    def model(images):
        seen.append(images[0].flatten())
        return torch.tensor([[5.0, 0.0]])

    run(SimBA(ball=WIDE, queries=1 + 2 * 32), model, torch.full((1, 1, 4, 4), 0.5))
    tried = [(image - 0.5).abs().argmax().item() for image in seen[1::2]]
    assert sorted(tried[:16]) == sorted(tried[16:]) == list(range(16))
    assert tried[:16] != tried[16:]


def test_low_frequencies_alone():
    def model(images):
        seen.append(images - 0.5)
        return torch.tensor([5.0, 0.0]).expand(len(images), 2)

    seen = []
    chosen = SimBA(ball=WIDE, space="dct", frequencies=0.25, queries=60)
    run(chosen, model, torch.full((2, 1, 8, 8), 0.5))
    waves = cosines(8)
    for change in seen[1:]:
        spectrum = waves @ change @ waves.T
        assert spectrum[:, :, 2:].abs().max() < 1e-5 and spectrum[..., 2:].abs().max() < 1e-5
    with pytest.raises(ValueError, match="pixels have no frequencies: set space='dct'"):
        SimBA(frequencies=0.5)


def test_in_an_linf_ball_a_pixel_stays_or_goes_all_the_way():
    weight = torch.randn(16, generator=torch.Generator().manual_seed(0))
    images = torch.full((4, 1, 4, 4), 0.5)
    out, _ = run(SimBA(ball=Linf(0.03), queries=20), linear_scores(weight), images)
    share = (out - images).abs() / 0.03
    assert ((share < 1e-4) | (share > 1 - 1e-4)).all() and (share > 0.5).any()


@pytest.mark.parametrize(("eps", "falls"), [(0.0599, False), (0.0601, True)])
def test_finds_the_corner_of_a_linear_model(linear4, eps, falls):
    out, spent = run(SimBA(ball=Linf(eps), queries=99), linear4.model, linear4.images)
    assert (linear4.model(out).argmax(1) == 1).tolist() == [falls] * 8
    assert (spent <= (9 if falls else 99)).all()


def test_goes_on_where_float32_would_call_the_loss_zero():
    """At a gap of 20 logits the float32 cross-entropy is 0 whatever the image."""

    def model(images):
        score = images.flatten(1).sum(1)
        return torch.stack([20 + score, -score], dim=1)

    images = torch.full((2, 1, 2, 2), 0.3)
    assert cross_entropy(model(images), torch.zeros(2).long()).tolist() == [0, 0]
    out, _ = run(SimBA(ball=WIDE, queries=20, step_size=0.1), model, images)
    assert (out < images).flatten(1).all()
