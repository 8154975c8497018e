"""C&W against linear models, whose distances are known, and against its definition in loops."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import one_hot

from classward.attacks.carlini_wagner import CarliniWagner
from classward.core.errors import InputError
from classward.core.losses import margin
from classward.core.randomness import SampleRandom

NEAREST = 0.1133893  # of linear4, from class 0 to class 1
LONG = CarliniWagner(steps=80, binary_steps=7, initial_const=1.0)


def run(attack, model, images, labels, **arguments):
    rng = SampleRandom(0, "carlini_wagner", torch.arange(len(images)))
    return attack(model, images, labels, rng=rng, **arguments)


def lengths(out, images):
    return (out - images).flatten(1).norm(dim=1)


@pytest.mark.parametrize("initial_const", [0.01, 1.0, 10.0])
def test_known_distance(linear4, initial_const):
    out = run(
        replace(LONG, initial_const=initial_const),
        linear4.model,
        linear4.images,
        linear4.labels,
    )
    assert (linear4.model(out).argmax(1) == 1).all()
    distance = lengths(out, linear4.images) / NEAREST
    assert (distance >= 1).all() and (distance <= 1.005).all()


def test_known_distance_with_confidence_and_to_a_target(linear4):
    sure = replace(LONG, confidence=0.2)
    out = run(sure, linear4.model, linear4.images, linear4.labels)
    assert (margin(linear4.model(out), linear4.labels) > 0.2).all()
    known = NEAREST * 0.5 / 0.3
    assert lengths(out, linear4.images).tolist() == pytest.approx([known] * 8, rel=5e-3)
    targets = torch.full((8,), 2)
    out = run(LONG, linear4.model, linear4.images, linear4.labels, targets=targets)
    assert (linear4.model(out).argmax(1) == 2).all()
    assert lengths(out, linear4.images).tolist() == pytest.approx([0.354898] * 8, rel=0.02)


@pytest.mark.parametrize(("const", "found"), [(0.083, False), (0.089, True)])
def test_succeeds_exactly_beyond_the_known_constant(linear4, const, found):
    # 2 * 0.3 / 7 = 0.0857, whatever the box and the tanh.
    attack = CarliniWagner(steps=150, binary_steps=1, initial_const=const, step_size=0.003)
    out = run(attack, linear4.model, linear4.images, linear4.labels)
    assert (linear4.model(out).argmax(1) == int(found)).all()
    assert torch.equal(out, linear4.images) != found, "a failure is the clean image"


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from([2, 3, 12]))
def test_smallest_perturbation_of_any_linear_model(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, 12, generator=generator)
    images = 0.5 + 0.05 * torch.randn(6, 3, 2, 2, generator=generator).clamp(-2, 2)
    labels, plain = torch.zeros(6).long(), (images - 0.5).flatten(1) @ weight.T
    lead = (0.3 + (plain.amax(1) - plain[:, 0]).amax()) * one_hot(labels[:1], classes)

    def model(images):
        return (images - 0.5).flatten(1) @ weight.T + lead

    gaps = model(images).amax(1, keepdim=True) - model(images)
    nearest = (gaps / (weight - weight[labels][:, None]).norm(dim=2)).nan_to_num(9).amin(1)
    out = run(LONG, model, images, labels)
    assert (model(out).argmax(1) != labels).all()
    ratio = lengths(out, images) / nearest
    assert (ratio >= 1 - 1e-4).all()
    # Of several boundaries it goes to the likeliest class's, which need not be the nearest.
    assert classes > 2 or (ratio <= 1.02).all()


def defined(attack, model, image, label):
    """The attack on one image as the paper writes it, with autograd and torch's own Adam."""
    best, nearest = image, float("inf")
    const, lower, upper = attack.initial_const, 0.0, float("inf")
    for _ in range(attack.binary_steps):
        w = (2 * image - 1).atanh().requires_grad_()
        adam, hit = torch.optim.Adam([w], lr=attack.step_size), False
        for _ in range(attack.steps):
            made = (w.tanh() + 1) / 2
            beyond = margin(model(made), label)
            squared = (made - image).square().sum()
            if beyond > 0:
                hit = True
                if squared.sqrt() < nearest:
                    best, nearest = made.detach().clone(), squared.sqrt().item()
            adam.zero_grad()
            (squared + const * (-beyond).clamp(min=0).sum()).backward()
            adam.step()
        lower, upper = (lower, const) if hit else (const, upper)
        const = 10 * const if upper == float("inf") else (lower + upper) / 2
    return best


def test_is_its_definition():
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(12, 24, generator=generator) for _ in range(2))
    images = 0.1 + 0.8 * torch.rand(8, 3, 2, 2, generator=generator)

    def model(images):
        return (2 * images.flatten(1) @ first).sin() @ second.T / 5

    labels = model(images).argmax(1)
    attack = CarliniWagner(initial_const=0.02, steps=8)
    out = run(attack, model, images, labels)
    one_by_one = [
        defined(attack, model, images[i : i + 1], labels[i : i + 1]) for i in range(8)
    ]
    found = (out != images).flatten(1).any(1)
    assert found.any() and not found.all(), "both outcomes are to be compared"
    torch.testing.assert_close(out, torch.cat(one_by_one), atol=2e-5, rtol=0)


class Counted:
    """A model that notes how many images went forward and how many gradients came back."""

    def __init__(self, model):
        self.model, self.forward, self.backward = model, [], []

    def __call__(self, images):
        self.forward.append(len(images))
        if images.requires_grad:
            images.register_hook(lambda gradient: self.backward.append(len(gradient)))
        return self.model(images)


def test_cost_is_what_it_says_and_settled_samples_are_free(linear4):
    model, labels = Counted(linear4.model), torch.arange(8) % 2  # the model says 0
    hopeless = CarliniWagner(initial_const=1e-9)
    out = run(hopeless, model, linear4.images, labels)
    assert torch.equal(out, linear4.images)
    assert model.forward == [8] + [4] * 97 and model.backward == [4] * 97


def test_beyond_the_boundary_the_model_is_hardly_asked(linear4):
    model = Counted(linear4.model)
    out = run(CarliniWagner(), model, linear4.images, linear4.labels)
    assert (linear4.model(out).argmax(1) == 1).all()
    assert sum(model.backward) < sum(model.forward) < 0.6 * 8 * 98


class Rough:
    """Another model, for gradients alone: it sees the boundary too early, by 0.1 logits."""

    def __init__(self, exact):
        self.exact = exact

    def __call__(self, images):
        return self.exact(images) + torch.tensor([0.0, 0.1, 0])


def test_of_a_model_that_names_an_exact_one_that_one_decides(linear4):
    rough = Rough(linear4.model)
    alone = run(LONG, rough.__call__, linear4.images, linear4.labels)
    assert (linear4.model(alone).argmax(1) == 0).all(), "believed, the rough one misleads"
    out = run(LONG, rough, linear4.images, linear4.labels)
    assert (linear4.model(out).argmax(1) == 1).all()
    assert lengths(out, linear4.images).tolist() == pytest.approx([NEAREST] * 8, rel=5e-3)
    said = Counted(linear4.model)
    settled = run(CarliniWagner(), Rough(said), linear4.images, torch.ones(8).long())
    assert torch.equal(settled, linear4.images) and said.forward == [8]


def test_the_first_image_that_until_confirms_is_returned(linear4):
    sizes, asked = [], []

    def model(images):
        sizes.append(len(images))
        return linear4.model(images)

    def until(images, where):
        asked.append(images.clone())
        return where < 6

    out = run(CarliniWagner(), model, linear4.images, linear4.labels, until=until)
    assert torch.equal(out[:6], asked[0][:6])
    assert torch.equal(out[6:], linear4.images[6:]), "nothing of these was confirmed"
    first = sizes.index(2)
    assert sizes == [8] * first + [2] * (98 - first) and first < 25
    assert all(len(images) == 2 for images in asked[1:]) and len(asked) > 20


def test_other_logits_may_all_be_negative(linear4):
    def model(images):
        return linear4.model(images) - 100

    out = run(LONG, model, linear4.images, linear4.labels)
    assert lengths(out, linear4.images).tolist() == pytest.approx([NEAREST] * 8, rel=2e-3)


def test_refuses_a_loss(linear4):
    with pytest.raises(InputError, match="CarliniWagner has a loss of its own"):
        run(CarliniWagner(), linear4.model, linear4.images, linear4.labels, loss=margin)
