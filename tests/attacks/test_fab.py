"""FAB on linear models, whose nearest adversarial images are known, and its projection."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from classward.attacks.fab import FAB, _to_boundary
from classward.core.balls import L2, Linf
from classward.core.randomness import SampleRandom


def run(linear4, attack, restart=0, **arguments):
    rng = SampleRandom(0, "fab", torch.arange(8), restart)
    return attack(linear4.model, linear4.images, linear4.labels, rng=rng, **arguments)


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("steps", [2, 5, 30])
@pytest.mark.parametrize(("norm", "found"), [(Linf, 0.0603128), (L2, 0.1139805)])
def test_ends_where_overshoot_and_backward_step_balance(linear4, norm, found, steps, targeted):
    ball = norm(0.5)
    adversarial = run(linear4, FAB(ball=ball, steps=steps, targeted=targeted))
    assert (linear4.model(adversarial).argmax(1) == 1).all()
    distance = ball.distance(adversarial, linear4.images)
    torch.testing.assert_close(distance, torch.full((8,), found), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("norm", "found"), [(Linf, 0.0603128), (L2, 0.1139805)])
def test_what_is_beyond_the_radius_is_not_accepted(linear4, norm, found):
    inside = run(linear4, FAB(ball=norm(found + 1e-4), steps=20))
    assert (linear4.model(inside).argmax(1) == 1).all()
    assert torch.equal(run(linear4, FAB(ball=norm(found - 1e-4), steps=20)), linear4.images)


def test_reaches_the_target_and_no_other_class(linear4):
    weight = [[1.0, -1, 0.5, 0], [0, 1, -0.5, 1], [-1, 0.5, 1, -2]]
    linear4.model[1].weight.data = torch.tensor(weight)
    adversarial = run(linear4, FAB(ball=Linf(0.5)), targets=torch.full((8,), 2))
    assert (linear4.model(adversarial).argmax(1) == 2).all()
    assert ((adversarial - linear4.images).abs().amax(dim=(1, 2, 3)) > 0.19).all()


def test_restarts_start_at_random_and_the_first_run_does_not(linear4):
    def first_look(restart):
        looked = []

        def model(images):
            looked.append(images.detach().clone())
            return linear4.model(images)

        rng = SampleRandom(0, "fab", torch.arange(8), restart)
        FAB(ball=Linf(0.1), steps=1, targeted=False)(
            model, linear4.images, linear4.labels, rng=rng
        )
        return looked[1]  # the first look ranks the classes

    assert torch.equal(first_look(0), linear4.images)
    away = (first_look(1) - linear4.images).abs().amax(dim=(1, 2, 3))
    torch.testing.assert_close(away, torch.full((8,), 0.05))


def test_a_step_shares_its_pass_with_the_check_for_crossing():
    passes = []

    def model(images):
        passes.append(len(images))
        score = images.flatten(1).sum(dim=1) - 100  # never crossed
        return torch.stack([-score, score], dim=1)

    images, rng = torch.rand(3, 1, 2, 2), SampleRandom(0, "fab", torch.arange(3))
    FAB(steps=10)(model, images, torch.zeros(3).long(), rng=rng)
    assert passes == [3] * (1 + 10 + 1)  # ranks, steps, and the last iterate


def test_who_keeps_crossing_is_first_asked_without_a_gradient(linear4):
    asked = []

    def model(images):
        asked.append((images.requires_grad, len(images)))
        return linear4.model(images)

    rng = SampleRandom(0, "fab", torch.arange(8))
    FAB(ball=Linf(0.5), steps=10, targeted=False)(
        model, linear4.images, linear4.labels, rng=rng
    )
    steady = [(False, 8), (True, 8)] * 6  # a check, then the gradient where the walk went back
    assert asked[-13:] == [*steady, (False, 8)]


def test_has_a_loss_of_its_own(linear4):
    with pytest.raises(ValueError, match="FAB has a loss of its own: leave loss out"):
        run(linear4, FAB(), loss=lambda logits, labels: logits[:, 0])


def problem(seed, size):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(1, 1, 1, size, generator=generator)
    weight = torch.randn(1, 1, 1, size, generator=generator)
    weight[torch.rand(weight.shape, generator=generator) < 0.2] = 0
    room = torch.where(weight > 0, points, 1 - points)  # for a positive lead, which must fall
    share = 1.2 * torch.rand(1, generator=generator)  # beyond 1 no move in the box is enough
    return points, weight, share * (weight.abs() * room).sum(), share


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12))
def test_linf_move_is_the_optimum_of_the_linear_program(seed, size):
    points, weight, lead, share = problem(seed, size)
    move = _to_boundary(Linf(1.0), points, lead.view(1), weight)
    assert ((points + move) >= -1e-6).all() and ((points + move) <= 1 + 1e-6).all()
    fallen = -(weight * move).sum().item()
    if share >= 1:
        assert fallen == pytest.approx((lead / share).item(), abs=1e-5)  # as far as it goes
        return
    assert fallen == pytest.approx(lead.item(), abs=1e-5)
    w, x = weight.flatten().double().numpy(), points.flatten().double().numpy()
    pixel = torch.eye(size).double().numpy()
    best = linprog(
        [*[0.0] * size, 1.0],
        A_ub=[*([*row, -1.0] for row in pixel), *([*-row, -1.0] for row in pixel)],
        b_ub=[0.0] * (2 * size),
        A_eq=[[*w, 0.0]],
        b_eq=[-fallen],
        bounds=[*((-at, 1 - at) for at in x), (0, None)],
    )
    assert move.abs().max().item() == pytest.approx(best.fun, abs=1e-4)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 8))
def test_l2_move_is_the_optimum_of_the_quadratic_program(seed, size):
    points, weight, lead, share = problem(seed, size)
    if share >= 0.99 or lead < 1e-4:
        return
    move = _to_boundary(L2(1.0), points, lead.view(1), weight)
    w, x = weight.flatten().double().numpy(), points.flatten().double().numpy()
    best = minimize(
        lambda d: d @ d,
        move.flatten().double().numpy() * 0.9,
        jac=lambda d: 2 * d,
        bounds=[(-at, 1 - at) for at in x],
        constraints={"type": "eq", "fun": lambda d: w @ d + lead.item(), "jac": lambda d: w},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert -(weight * move).sum().item() == pytest.approx(lead.item(), abs=1e-5)
    assert move.norm().item() <= best.fun**0.5 + 1e-4


def test_a_move_where_no_side_of_the_box_is_near_is_the_closed_form():
    points, weight = torch.full((1, 1, 2, 2), 0.5), torch.tensor([[[[1.0, -2.0], [0.5, 0.0]]]])
    lead = torch.tensor([0.1])
    linf = -0.1 / 3.5 * weight.sign()
    torch.testing.assert_close(_to_boundary(Linf(1.0), points, lead, weight), linf)
    torch.testing.assert_close(_to_boundary(Linf(1.0), points, -lead, weight), -linf)
    l2 = -0.1 / 5.25 * weight
    torch.testing.assert_close(_to_boundary(L2(1.0), points, lead, weight), l2)


@pytest.mark.parametrize("ball", [Linf(1.0), L2(1.0)])
@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e8, 1e30])
def test_the_move_does_not_depend_on_the_scale_of_the_logits(ball, scale):
    points, weight, lead, _ = problem(3, 9)
    move = _to_boundary(ball, points, lead.view(1), weight)
    scaled = _to_boundary(ball, points, scale * lead.view(1), scale * weight)
    torch.testing.assert_close(scaled, move)


@pytest.mark.parametrize("ball", [Linf(1.0), L2(1.0)])
def test_without_a_gradient_there_is_no_move(ball):
    points = torch.rand(2, 1, 2, 2)
    move = _to_boundary(ball, points, torch.tensor([1.0, 0.0]), torch.zeros(2, 1, 2, 2))
    assert torch.equal(move, torch.zeros_like(points))
