"""Twins of models: exact where layers are folded, refused where they would not be."""

import threading

import pytest
import torch
from torch import nn

from classward.models.class_weights import class_weights
from classward.models.load import build
from classward.models.network import first_weights
from classward.models.twin import make_twin

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def with_statistics(model):
    """Batch norms as after a training, when folding is far from changing nothing."""
    generator = torch.Generator().manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.bias.data):
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
            for tensor in (layer.running_var, layer.weight.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return model.eval()


def sequential(*last, bias=True):
    with first_weights(0):
        conv = nn.Conv2d(3, 8, 3, padding=1, bias=bias)
        return with_statistics(
            nn.Sequential(conv, nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), *last)
        )


class Odd(nn.Module):
    """A convolution whose output goes to a batch norm, and what `use` makes of both."""

    def __init__(self, use, conv=None):
        super().__init__()
        with first_weights(0):
            self.conv = conv or nn.Conv2d(3, 3, 3, padding=1)
        self.norm, self.use = nn.BatchNorm2d(3), use

    def forward(self, images):
        return self.use(self, images).mean(dim=(2, 3))


def plain(model, images):
    return model.norm(model.conv(images)).relu()


def answers(model, images):
    images = images.detach().requires_grad_()
    logits = model(images)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), images)
    return logits.detach(), gradient


@pytest.mark.parametrize(
    ("model", "norms"),
    [
        (with_statistics(build("resnet20", seed=3)), 19),
        (sequential(nn.Linear(8 * 256, 5)), 1),
        (sequential(nn.Linear(8 * 256, 5), bias=False), 1),
        (with_statistics(Odd(plain)), 1),
        (build("small_cnn", channels=3, size=16).eval(), 0),
    ],
    ids=["resnet20", "biased", "unbiased", "functional", "no batch norm"],
)
def test_twin_is_the_same_function(model, norms):
    twin, reason = make_twin(model, IMAGES)
    assert twin is not model
    assert reason == f"twin: {norms} batch norms folded, channels last"
    for mine, its in zip(answers(twin, IMAGES), answers(model, IMAGES), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-5)
    left = [layer for layer in twin.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert left == []
    assert not any(parameter.requires_grad for parameter in twin.parameters())


def test_the_model_stays_as_it_was():
    model = with_statistics(build("resnet20", seed=3))
    next(model.parameters()).grad = torch.ones(16, 3, 3, 3)
    state = {name: (t._version, t.clone()) for name, t in model.state_dict().items()}
    frozen = torch.random.get_rng_state()
    make_twin(model, IMAGES)
    assert torch.equal(frozen, torch.random.get_rng_state())
    for name, tensor in model.state_dict().items():
        assert tensor._version == state[name][0]
        assert torch.equal(tensor, state[name][1])
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) == 19
    assert sum(parameter.grad is not None for parameter in model.parameters()) == 1
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(layer.training for layer in model.modules())
    hooks = [layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules()]
    assert not any(hooks)


def used_twice(model, images):
    maps = model.conv(images)
    return model.norm(maps) + maps


def applied_twice(model, images):
    return model.norm(model.conv(model.norm(model.conv(images))))


def after_activation(model, images):
    return model.norm(model.conv(images).relu())


@pytest.mark.parametrize("use", [used_twice, applied_twice, after_activation])
def test_what_cannot_be_folded_is_kept(use):
    twin, reason = make_twin(with_statistics(Odd(use)), IMAGES)
    assert reason.startswith("twin: 0 batch norms folded")
    assert isinstance(twin.norm, nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("name", "width", "norms"),
    [
        ("vgg16", 0.25, 13),
        ("resnet18", 0.25, 20),
        ("resnet34", 0.25, 36),
        ("resnet50", 0.25, 53),
        ("wide_resnet_28_10", 0.2, 13),  # the others come before their convolutions
        ("wide_resnet_28_10", 0.1, 12),  # the first convolution's maps go on beside its norm
        ("densenet121", 0.25, 58),
    ],
)
def test_norms_that_alone_follow_a_convolution_are_folded(name, width, norms):
    model = with_statistics(build(name, width=width, seed=3))
    _, reason = make_twin(model, IMAGES[:2])
    assert reason == f"twin: {norms} batch norms folded, channels last"


def test_a_parametrised_convolution_is_not_folded():
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 3, padding=1))
    twin, _ = make_twin(with_statistics(Odd(plain, conv)), IMAGES)
    assert isinstance(twin.norm, nn.BatchNorm2d)


def with_a_lock():
    model = sequential()
    model.lock = threading.Lock()
    return model


def reading_its_norm(model, images):
    return plain(model, images) * model.norm.running_var.view(-1, 1, 1)


def without_gradient(model, images):
    return plain(model, images.detach())


class Drifting(nn.Module):
    """Answers differently each time, as a random model does."""

    def __init__(self):
        super().__init__()
        self.body, self.calls = sequential(), 0

    def forward(self, images):
        self.calls += 1
        return self.body(images + 0.1 * self.calls)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda images: images.flatten(1), "plain callable"),
        (sequential().train(), "training mode"),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 4)).eval(), "no convolutions"),
        (with_a_lock(), "fails with TypeError"),
        (with_statistics(Odd(reading_its_norm)), "fails with AttributeError"),
        (with_statistics(Odd(without_gradient)), "fails with RuntimeError"),
        (Drifting().eval(), "has other logits"),
    ],
)
def test_a_model_without_a_true_twin_is_its_own(model, said):
    twin, reason = make_twin(model, IMAGES)
    assert twin is model
    assert reason.startswith("the model itself: ") and said in reason


class WrongGradient(torch.autograd.Function):
    """Identity whose gradient is that of the layout: contiguous images pass, others flip."""

    @staticmethod
    def forward(ctx, maps):
        ctx.sign = 1 if maps.is_contiguous() else -1
        return maps.clone()

    @staticmethod
    def backward(ctx, gradient):
        return ctx.sign * gradient


def test_wrong_gradients_are_noticed_beside_right_logits():
    def use(model, images):
        return WrongGradient.apply(model.conv(images)).relu()

    model = Odd(use).eval()
    twin, reason = make_twin(model, IMAGES)
    assert twin is model
    assert reason.endswith("has input gradients of other signs")


def test_tolerance_is_relative_to_the_spread_of_the_logits():
    model = with_statistics(Odd(lambda model, images: 1e6 * plain(model, images)))
    assert make_twin(model, IMAGES)[0] is not model
    assert make_twin(model, IMAGES, tolerance=0.0)[0] is model


def test_class_weights_are_those_of_the_model():
    model = sequential(nn.Linear(8 * 256, 5))
    twin, _ = make_twin(model, IMAGES)
    assert torch.equal(class_weights(twin, IMAGES)[0], class_weights(model, IMAGES)[0])
