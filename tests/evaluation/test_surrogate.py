"""A network that learned the model's answers, and how far it can be trusted to."""

import pytest
import torch
from torch import nn

from classward.core.balls import L2, Linf
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.surrogate import COPIES, SAMPLES, teach
from classward.evaluation.watched import Watched

DATA = load_data("digits", split="test", samples=200)
IMAGES = DATA.batch(torch.arange(len(DATA)))


def linear(images=IMAGES, classes=10):
    """Weights at random, the classes about as frequent as each other."""
    pixels = images.flatten(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(pixels.shape[1], classes)).eval()
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(classes, pixels.shape[1], generator=generator)
    network[1].weight.data, network[1].bias.data = weight, -weight @ pixels.mean(dim=0)
    return network


class Scrambled(nn.Module):
    """An answer that no part of the image foretells."""

    def forward(self, images):
        answers = (images.flatten(1).double().sum(dim=1) * 1e6).long() % 10
        return 5 * nn.functional.one_hot(answers, 10).float()


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.5)])
def test_learns_what_the_model_says(ball):
    taught = teach(linear(), DATA, ball)
    assert taught.useful
    assert taught.agreement > 0.6 > 0.3 > taught.commonest
    assert taught.held == 40


def test_an_answer_without_reason_cannot_be_taught():
    assert not teach(Scrambled(), DATA, Linf(0.1)).useful


def test_one_answer_to_everything_says_nothing():
    model = linear()
    model[1].bias.data[3] = 1e4
    taught = teach(model, DATA, Linf(0.1))
    assert (taught.agreement, taught.commonest, taught.useful) == (1.0, 1.0, False)


def test_the_scale_of_the_logits_is_of_no_account():
    model = linear()
    loud = teach(lambda images: 1e6 * model(images), DATA, Linf(0.1)).network
    assert torch.equal(loud(IMAGES), teach(model, DATA, Linf(0.1)).network(IMAGES))


def test_is_the_same_again_and_takes_no_global_randomness():
    model, before = linear(), torch.get_rng_state()
    first, again, other = (
        teach(model, DATA, Linf(0.1), seed=seed).network(IMAGES) for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_asks_no_more_than_it_says():
    watched = Watched(linear())
    teach(watched, DATA, Linf(0.1), batch_size=33)
    assert watched.forward <= (1 + COPIES) * len(DATA) + 8  # and the first few images
    many = torch.rand(SAMPLES + 500, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    watched = Watched(linear())
    teach(watched, Split(many, torch.arange(len(many)) % 10), Linf(0.1))
    assert watched.forward <= (1 + COPIES) * SAMPLES + 8


@pytest.mark.parametrize(
    ("shape", "classes"), [((3, 8, 12), 3), ((1, 40, 36), 2), ((2, 9, 9), 40)]
)
def test_any_shape_and_any_number_of_classes(shape, classes):
    images = torch.rand(60, *shape, generator=torch.Generator().manual_seed(0))
    data = Split(images, torch.arange(60) % classes)
    model = linear(images, classes)
    network = teach(model, data, Linf(0.1)).network
    asked = images.requires_grad_()
    logits = network(asked)
    (gradient,) = torch.autograd.grad(logits.sum(), asked)
    assert logits.shape == (60, classes) and logits.dtype == torch.float32
    assert gradient.flatten(1).any(dim=1).all()
    assert not any(part.requires_grad for part in network.parameters())


@pytest.mark.parametrize("samples", [1, 2, 6])
def test_few_samples_teach_nothing_and_break_nothing(samples):
    assert not teach(linear(), DATA.take(f"first:{samples}"), Linf(0.1)).useful
