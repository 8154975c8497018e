import pytest
import torch
from torch import nn

from classward.evaluation.adapters.shown import Shown

CPU = torch.device("cpu")


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh())


def images():
    return torch.rand(5, 1, 2, 2)


def test_logits_and_gradients_are_the_models():
    model, pixels = network(), images().requires_grad_()
    (wanted,) = torch.autograd.grad(model(pixels)[:, 1].sum(), pixels)
    shown = Shown(model, CPU)
    assert torch.equal(shown(pixels), model(pixels))
    assert torch.equal(shown(pixels.detach()), model(pixels)) and not shown.training
    shown(pixels)[:, 1].sum().backward()
    assert torch.equal(pixels.grad, wanted)


def test_nothing_is_left_on_the_model():
    model = network()
    shown = Shown(model, CPU)
    shown(images().requires_grad_()).sum().backward()
    shown.train()
    assert all(p.grad is None for p in model.parameters()) and model.training
    assert len(list(shown.parameters())) == 1 and next(shown.parameters()).numel() == 0


def test_a_graph_can_be_gone_through_several_times():
    pixels = images().requires_grad_()
    logits = Shown(network(), CPU)(pixels)
    rows = [
        torch.autograd.grad(logits[:, k].sum(), pixels, retain_graph=True) for k in range(3)
    ]
    assert len({row[0].sum().item() for row in rows}) == 3


def test_double_precision_comes_back_as_it_went():
    pixels = images().double().requires_grad_()
    Shown(network(), CPU)(pixels).sum().backward()
    assert pixels.grad.dtype == torch.float64


def test_a_second_derivative_is_refused_rather_than_wrong():
    pixels = images().requires_grad_()
    made = Shown(network(), CPU)(pixels).square().sum()
    (gradient,) = torch.autograd.grad(made, pixels, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
