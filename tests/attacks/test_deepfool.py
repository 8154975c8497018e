"""DeepFool against linear models, where the nearest boundary is known exactly."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from classward.attacks.deepfool import LEAST, DeepFool
from classward.core.balls import ball
from classward.core.errors import InputError
from classward.core.losses import cross_entropy, margin
from classward.core.randomness import SampleRandom
from classward.data.load import load_data
from classward.models.small_cnn import small_cnn


def run(attack, model, images, labels, **arguments):
    rng = SampleRandom(0, "deepfool", torch.arange(len(images)))
    return attack(model, images, labels, rng=rng, **arguments)


def linear(weight, bias):
    return lambda images: images.flatten(1) @ weight.T + bias


class Counted:
    """A model that notes how many images went forward and how many gradients came back."""

    def __init__(self, model):
        self.model, self.forward, self.backward = model, [], 0

    def __call__(self, images):
        self.forward.append(len(images))
        images.register_hook(self.count)
        return self.model(images)

    def count(self, gradient):
        self.backward += len(gradient)


def test_known_perturbation(linear4):
    model = Counted(linear4.model)
    out = run(DeepFool(), model, linear4.images, linear4.labels)
    change = (out - linear4.images)[0].flatten()
    known = torch.tensor([-0.042857, 0.085714, -0.042857, 0.042857])
    torch.testing.assert_close(change, 1.02 * known, atol=1e-5, rtol=0)
    assert change.norm().item() == pytest.approx(0.1156571, abs=1e-5)
    assert (linear4.model(out).argmax(1) == 1).all()
    assert model.forward == [8, 8] and model.backward == 2 * 8  # one step, two rivals


def test_known_perturbation_in_linf(linear4):
    out = run(DeepFool(norm="linf"), linear4.model, linear4.images, linear4.labels)
    known = 1.02 * 0.06 * torch.tensor([-1.0, 1, -1, 1])
    torch.testing.assert_close((out - linear4.images)[0].flatten(), known, atol=1e-5, rtol=0)
    assert (linear4.model(out).argmax(1) == 1).all()


@pytest.mark.parametrize(("norm", "order", "least"), [("l2", 2, 1e-4), ("linf", 1, 1e-6)])
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from([2, 3, 12]))
def test_smallest_perturbation_of_any_linear_model(norm, order, least, seed, classes):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, 12, generator=generator)
    images = 0.5 + 0.02 * torch.randn(6, 3, 2, 2, generator=generator)
    model = linear(weight, -weight.sum(1) / 2)
    logits = model(images)
    labels = logits.argmax(1)
    across = (weight - weight[labels][:, None]).norm(order, dim=2)
    nearest = ((logits.amax(1, keepdim=True) - logits) / across).nan_to_num(9).amin(1)
    out = run(DeepFool(norm=norm, candidates=classes), model, images, labels)
    distance = ball(norm, 1).distance(out, images)
    torch.testing.assert_close(distance, 1.02 * nearest.clamp(min=least), rtol=1e-3, atol=1e-6)
    assert (model(out).argmax(1) != labels).all()


def test_candidates_are_the_likeliest_at_the_clean_image():
    # Class 2 is nearer, class 1 likelier: gaps 1 and 2, gradients of length 1 and 10.
    weight = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 10, 0, 0]])
    model = linear(weight, torch.tensor([0.6, 0.0, -5.0]))
    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.zeros(1).long()
    falls_to = [
        model(run(DeepFool(candidates=count), model, images, labels)).argmax().item()
        for count in (2, 3, 99)
    ]
    assert falls_to == [1, 2, 2]
    with pytest.raises(ValueError, match="DeepFool: option 'candidates'"):
        DeepFool(candidates=1)


def test_norms_may_go_to_different_classes():
    # To class 1 one pixel changes most in l-inf; to class 2 all do, each less.
    weight = torch.tensor([[0.0, 0, 0, 0], [2, 0, 0, 0], [0.9, 0.9, 0.9, 0.9]])
    model = linear(weight, torch.tensor([0.2, -1.0, -1.8]))
    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.zeros(1).long()
    l2, linf = (run(DeepFool(norm=norm), model, images, labels) for norm in ("l2", "linf"))
    assert model(l2).argmax().item() == 1 and model(linf).argmax().item() == 2
    assert (l2 - images).norm().item() == pytest.approx(1.02 * 0.1, rel=1e-3)
    assert (linf - images).abs().max().item() == pytest.approx(1.02 * 0.2 / 3.6, rel=1e-3)


def test_goes_around_pixels_that_the_box_blocks():
    weight = torch.tensor([[0.0, 0, 0, 0], [-4, 1, 0, 0]])
    model = linear(weight, torch.tensor([0.0, -0.8]))
    images, labels = torch.tensor([0.0, 0.5, 0.5, 0.5]).view(1, 1, 2, 2), torch.zeros(1).long()
    out = run(DeepFool(steps=2), model, images, labels)
    change = (out - images).flatten().tolist()
    assert change == pytest.approx([0, 1.02 * 0.3, 0, 0], abs=1e-4)
    assert model(out).argmax().item() == 1


@pytest.mark.parametrize(("norm", "nearest"), [("l2", 0.1133893), ("linf", 0.06)])
def test_does_not_stall_on_the_boundary(linear4, norm, nearest):
    attack = DeepFool(norm=norm, overshoot=0.0)
    out = run(attack, linear4.model, linear4.images, linear4.labels)
    assert (linear4.model(out).argmax(1) == 1).all()
    distance = ball(norm, 1).distance(out, linear4.images)
    assert distance.tolist() == pytest.approx([nearest] * 8, abs=2e-4)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_crosses_curved_boundaries_and_drops_what_has_crossed(norm):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(12, 24, generator=generator) for _ in range(2))
    images = torch.rand(60, 3, 2, 2, generator=generator)
    model = Counted(lambda images: (8 * images.flatten(1) @ first).sin() @ second.T)
    labels = model.model(images).argmax(1)
    out = run(DeepFool(norm=norm), model, images, labels)
    assert (model.model(out).argmax(1) != labels).all()
    assert ball(norm, 1).distance(out, images).max() < {"l2": 0.5, "linf": 0.2}[norm]
    assert model.forward == sorted(model.forward, reverse=True) and model.forward[-1] < 10


def trained(name):
    """A small network that has learnt the embedded digits, and some of these."""
    data = load_data("digits", split="train")
    images, labels = data.batch(torch.arange(512)), data.labels[:512]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)]
        model = small_cnn() if name == "small_cnn" else nn.Sequential(*layers)
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        adam.zero_grad()
        cross_entropy(model(images), labels).mean().backward()
        adam.step()
    return model.eval().requires_grad_(False), images[:100], labels[:100]


def defined(model, images, labels, norm, steps=100):
    """DeepFool with every rival looked at in every step, and no sample ever dropped."""
    order, made = {"l2": 2, "linf": 1}[norm], images.clone()
    for _ in range(steps):
        wrong = model(made).argmax(1) != labels
        if wrong.all():
            break
        jacobian = torch.func.vmap(torch.func.jacrev(lambda x: model(x[None])[0]))(made)
        rows = torch.arange(len(labels))
        across = jacobian - jacobian[rows, labels][:, None]
        blocked = (across > 0) & (made >= 1)[:, None] | (across < 0) & (made <= 0)[:, None]
        across = across.masked_fill(blocked, 0).flatten(2)
        logits = model(made)
        gaps = logits[rows, labels][:, None] - logits
        slopes = across.norm(order, dim=2)
        nearest = (gaps / slopes).index_put((rows, labels), torch.tensor(9e9)).argmin(1)
        slope, way = slopes[rows, nearest][:, None], across[rows, nearest]
        unit = way / slope if norm == "l2" else way.sign()
        length = (gaps[rows, nearest][:, None] / slope).clamp(min=LEAST[norm])
        moved = (made + 1.02 * (length * unit).view_as(made)).clamp(0, 1)
        made = torch.where(wrong.view(-1, 1, 1, 1), made, moved)
    return made


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("name", ["small_cnn", "tanh"])
def test_looking_at_few_rivals_chooses_as_looking_at_all(norm, name):
    network, images, labels = trained(name)
    model = Counted(network)
    out = run(DeepFool(norm=norm), model, images, labels)
    known = defined(network, images, labels, norm)
    assert (network(out).argmax(1) != labels).all()
    torch.testing.assert_close(out, known, atol=1e-6, rtol=0)
    few, model.backward = model.backward, 0
    everything = run(DeepFool(norm=norm, steeper=1e6), model, images, labels)
    torch.testing.assert_close(out, everything, atol=1e-6, rtol=0)
    assert few < model.backward


def test_a_rival_grown_too_steep_is_seen_by_the_careful_alone():
    def model(images):
        a, b = images[:, 0, 0, 0], images[:, 0, 0, 1]
        first = 4 * (a - 0.75).clamp(max=0) + 0.1 * (a - 0.75).clamp(min=0) - 0.1
        second = (b - 0.5) * (1 + 1000 * (a - 0.6).clamp(min=0)) - 2
        return torch.stack([torch.zeros_like(a), first, second], dim=1)

    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.zeros(1).long()
    quick, careful = (
        run(DeepFool(steeper=steeper, steps=2), model, images, labels) for steeper in (2, 1e3)
    )
    assert quick[0, 0, 0, 1] == 0.5 and careful[0, 0, 0, 1] > 0.5


def test_leaves_alone_what_is_already_wrong_and_what_has_no_gradient(linear4):
    labels = torch.arange(8) % 2  # the model says 0
    out = run(DeepFool(), linear4.model, linear4.images, labels)
    same = (out == linear4.images).flatten(1).all(1)
    assert same.tolist() == [False, True] * 4
    flat = Counted(lambda images: 0 * images.flatten(1)[:, :3] + torch.tensor([3.0, 2, 1]))
    out = run(DeepFool(), flat, linear4.images, linear4.labels)
    assert torch.equal(out, linear4.images)
    assert sum(flat.forward) == 16, "passes were spent on samples that cannot move"


def test_what_until_denies_goes_deeper_and_what_it_confirms_is_done(linear4):
    asked = []

    def until(images, where):
        asked.append(where.tolist())
        depth = margin(linear4.model(images), torch.zeros_like(where))
        return (where < 6) | (depth > 0.1)

    out = run(DeepFool(), linear4.model, linear4.images, linear4.labels, until=until)
    assert asked[0] == list(range(8)) and asked[1] == [6, 7]
    depth = margin(linear4.model(out), linear4.labels)
    assert (depth[:6] < 0.01).all() and (depth[6:] > 0.1).all()


@pytest.mark.parametrize("extra", [{"targets": torch.ones(8).long()}, {"loss": margin}])
def test_refuses_targets_and_losses(linear4, extra):
    with pytest.raises(InputError, match="DeepFool takes neither targets nor a loss"):
        run(DeepFool(), linear4.model, linear4.images, linear4.labels, **extra)
