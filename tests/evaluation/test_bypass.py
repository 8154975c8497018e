"""The gradient past the pre-processing; the value stays exact."""

import torch
from torch import nn

from classward.evaluation.bypass import bypassed

IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Round(nn.Module):
    def forward(self, images):
        return (images * 4).round() / 4


def head():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))


def gradient(model):
    asked = IMAGES.clone().requires_grad_()
    return torch.autograd.grad(model(asked)[:, 0].sum(), asked)[0]


def test_rounding_is_passed_by_backwards_and_done_forwards():
    network = head()
    model = nn.Sequential(Round(), network)
    past = bypassed(model, IMAGES)
    assert torch.equal(past(IMAGES), model(IMAGES))
    assert (gradient(model) == 0).all()
    rounded = Round()(IMAGES).requires_grad_()
    (wanted,) = torch.autograd.grad(network(rounded)[:, 0].sum(), rounded)
    assert torch.equal(gradient(past), wanted)


def test_the_model_itself_is_left_alone():
    model = nn.Sequential(Round(), head())
    bypassed(model, IMAGES)
    assert not any(part._forward_pre_hooks for part in model.modules())
    assert (gradient(model) == 0).all()


def test_none_where_there_is_nothing_to_pass_by():
    assert bypassed(lambda images: images.flatten(1), IMAGES) is None
    assert bypassed(nn.Flatten(), IMAGES) is None


def test_none_where_the_model_takes_gradients_of_its_own():
    class Purify(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = head()

        def forward(self, images):
            with torch.enable_grad():
                moved = images.detach().requires_grad_()
                (own,) = torch.autograd.grad(self.network(moved).sum(), moved)
            return self.network(images - 0.1 * own)

    assert bypassed(Purify(), IMAGES) is None
