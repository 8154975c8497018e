"""Subspace attack: led by a surrogate that is the model itself it must act as PGD does."""

import pytest
import torch
from torch import nn

from classward.attacks.subspace import Subspace
from classward.core.balls import L2, Linf
from classward.core.errors import InputError
from classward.core.randomness import SampleRandom
from classward.evaluation.oracle import CountingOracle

ACROSS = torch.tensor([-1.0, 2, -1, 1]) / 7**0.5  # from class 0 to class 1 of `linear4`


def run(chosen, model, images, labels, surrogates, **arguments):
    asked = CountingOracle(model, len(images), chosen.queries, decisions=False)
    rng = SampleRandom(0, "subspace", torch.arange(len(images)))
    made = chosen(asked, images, labels, rng=rng, surrogates=surrogates, **arguments)
    return made, asked.spent


def convolutional(classes=3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
        return nn.Sequential(*layers, nn.Linear(16, classes)).eval()


def test_first_probes_lie_along_the_surrogates_gradient(linear4):
    seen = []

    def model(images):
        seen.append(images)
        return linear4.model(images)

    chosen = Subspace(ball=L2(0.01), queries=4, step_size=0.01)
    out, spent = run(chosen, model, linear4.images, linear4.labels, [linear4.model.eval()])
    up, down = (seen[1].unflatten(0, (8, 2))[:, side] for side in (0, 1))
    expected = (0.1 * ACROSS).view(1, 1, 2, 2).expand(8, 1, 2, 2)
    torch.testing.assert_close(up - linear4.images, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(down - linear4.images, -expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(out - linear4.images, 0.1 * expected, atol=1e-5, rtol=0)
    assert spent.tolist() == [4] * 8


@pytest.mark.parametrize(
    ("ball", "falls"),
    [(Linf(0.0599), False), (Linf(0.0601), True), (L2(0.1133), False), (L2(0.1136), True)],
)
def test_led_by_the_model_itself_it_is_exact(linear4, ball, falls):
    chosen, leader = Subspace(ball=ball, queries=100), linear4.model.eval()
    out, spent = run(chosen, linear4.model, linear4.images, linear4.labels, [leader])
    assert (linear4.model(out).argmax(1) == 1).tolist() == [falls] * 8
    # Eight steps of an eighth of the radius; one more may be needed for rounding.
    assert (spent <= 1 + 3 * 9).all() if falls else (spent == 1 + 3 * 33).all()


def test_a_surrogate_that_points_the_wrong_way_is_turned_around(linear4):
    """Two queries tell on which side of the direction the loss rises."""

    def reversed_model(images):
        return -linear4.model(images)

    out, spent = run(
        Subspace(ball=Linf(0.0601)),
        linear4.model,
        linear4.images,
        linear4.labels,
        [reversed_model],
    )
    assert (linear4.model(out).argmax(1) == 1).all() and (spent <= 28).all()


def test_a_surrogate_without_gradient_leaves_the_image(linear4):
    def flat(images):
        return 0 * images.flatten(1)[:, :3]

    chosen = Subspace(ball=Linf(0.0601), queries=40)
    out, spent = run(chosen, linear4.model, linear4.images, linear4.labels, [flat])
    assert torch.equal(out, linear4.images) and spent.tolist() == [40] * 8


def test_surrogates_take_turns():
    turns = []

    def surrogate(name):
        def answer(images):
            turns.append(name)
            return convolutional()(images)

        return answer

    images, labels = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2).long()

    def model(images):
        return torch.tensor([5.0, 0, 0]).expand(len(images), 3) + 0 * images.sum()

    chosen = Subspace(queries=31)
    run(chosen, model, images, labels, [surrogate("a"), surrogate("b")])
    assert turns == ["a", "b"] * 5


def test_dropout_is_the_surrogates_alone_and_leaves_it_as_it_was():
    surrogate, images = convolutional(), torch.full((3, 1, 2, 2), 0.5)
    state = {name: tensor.clone() for name, tensor in surrogate.state_dict().items()}
    numbers, hooks = torch.get_rng_state(), len(surrogate[0]._forward_hooks)

    def model(images):
        asked[-1].append(images)
        score = images.flatten(1).sum(1)
        return torch.stack([9 + score, -score, 0 * score], dim=1)

    asked, labels = [], torch.zeros(3).long()
    for share in (0.9, 0.9, 0.0):
        asked.append([])
        run(Subspace(queries=61, dropout=share), model, images, labels, [surrogate])
    first, again, without = (torch.cat(images) for images in asked)
    assert torch.equal(first, again) and not torch.equal(first, without)
    before = 3 * (1 + 3 * 11)  # images until dropout begins
    assert torch.equal(first[:before], without[:before])
    assert torch.equal(torch.get_rng_state(), numbers), "global random state used"
    assert len(surrogate[0]._forward_hooks) == hooks and not surrogate.training
    assert all(p.grad is None and p.requires_grad for p in surrogate.parameters())
    after = surrogate.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in state.items())


@pytest.mark.parametrize(
    ("surrogates", "said"),
    [
        ([], "needs at least one surrogate network, got none"),
        ([convolutional().train()], "in train mode: call .eval"),
        ([convolutional(classes=4)], "gives 4 logits, the model 3: they must know the same"),
    ],
)
def test_surrogates_that_do_not_fit_are_refused(linear4, surrogates, said):
    with pytest.raises(InputError, match=said):
        run(Subspace(), linear4.model, linear4.images, linear4.labels, surrogates)
