"""Gradients that a model takes of its own are counted; torch is left as it was."""

import torch
from torch import nn

from classward.evaluation.plain_forward import gradients_inside

IMAGES = torch.rand(2, 1, 4, 4)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def test_a_network_takes_none():
    assert gradients_inside(NETWORK, IMAGES) == 0


def test_each_step_of_a_model_that_optimises_is_counted():
    def purified(images):
        moved = images.clone()
        with torch.enable_grad():
            for _ in range(3):
                moved = moved.detach().requires_grad_()
                (own,) = torch.autograd.grad(NETWORK(moved).sum(), moved)
                moved = moved - 0.1 * own
            moved = moved.detach().requires_grad_()
            NETWORK(moved).sum().backward()
        return NETWORK(moved)

    before = torch.autograd.grad, torch.autograd.backward
    assert gradients_inside(purified, IMAGES) == 4
    assert (torch.autograd.grad, torch.autograd.backward) == before
