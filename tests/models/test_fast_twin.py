"""Twins in bfloat16: near the model, float32 where it counts, and refused where no gain is."""

import pytest
import torch
from torch import nn

from classward.models import fast_twin
from classward.models.fast_twin import make_fast_twin
from classward.models.load import build

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def hardware(monkeypatch):
    """A machine that multiplies bfloat16, whatever this one does: torch emulates it."""
    known = {"amx_bf16": False, "avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    return known


def resnet(**more):
    return build("resnet20", classes=10, channels=3, size=16, seed=0, **more).eval()


def answer(model, images):
    images = images.clone().requires_grad_()
    logits = model(images)
    (gradient,) = torch.autograd.grad(logits.logsumexp(dim=1).sum(), images)
    return logits.detach(), gradient


@pytest.mark.usefixtures("hardware")
class TestGain:
    def test_says_nearly_the_same(self):
        model = resnet()
        twin, reason = make_fast_twin(model, IMAGES)
        assert reason.endswith("; in bfloat16, by AVX-512")
        logits, gradient = answer(model, IMAGES)
        fast, slope = answer(twin, IMAGES)
        assert fast.dtype == slope.dtype == torch.float32
        assert 0 < (fast - logits).abs().max() < 0.05 * (logits.amax() - logits.amin())
        assert (slope.sign() == gradient.sign()).float().mean() > 0.9

    def test_model_is_left_as_it_was(self):
        model = resnet()
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        modes = [p.requires_grad for p in model.parameters()]
        make_fast_twin(model, IMAGES)
        for name, tensor in model.state_dict().items():
            assert tensor.dtype == before[name].dtype and torch.equal(tensor, before[name])
        assert modes == [p.requires_grad for p in model.parameters()]

    def test_logits_and_normalisation_in_float32(self):
        model = resnet(mean=[0.4, 0.5, 0.6], std=[0.2, 0.2, 0.2])
        twin, _ = make_fast_twin(model, IMAGES)
        layers = [m for m in twin.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        types = [layer.weight.dtype for layer in layers]
        assert types == [torch.bfloat16] * (len(layers) - 1) + [torch.float32]
        assert all(b.dtype != torch.bfloat16 for b in twin.buffers())

    def test_amx_is_named(self, hardware):
        hardware["amx_bf16"] = True
        assert make_fast_twin(resnet(), IMAGES)[1].endswith("in bfloat16, by AMX")


class Depthwise(nn.Sequential):
    def __init__(self):
        deep = nn.Conv2d(3, 3, 3, padding=1, groups=3)
        super().__init__(deep, nn.ReLU(), nn.Flatten(), nn.Linear(768, 4))


class Raw(nn.Module):
    """Uses a layer's weights past the layer, so that types clash."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3), nn.Linear(588, 4)

    def forward(self, images):
        made = nn.functional.conv2d(images, self.one.weight)
        return self.two(made.flatten(1))


class Loud(nn.Module):
    """Its logits are small differences of large numbers."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Linear(784, 4)
        self.one.bias.data += 1e4

    def forward(self, images):
        return self.two((self.one(images) - 1e4).flatten(1))


@pytest.mark.usefixtures("hardware")
@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Depthwise(), "depthwise convolutions are slower in bfloat16"),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), "no layers besides the last"),
        (Raw(), "a bfloat16 copy fails with RuntimeError"),
        (Loud(), "its copy has other logits"),
        (resnet().train(), "it is in training mode"),
        (lambda images: images.flatten(1)[:, :4], "a plain callable has no layers"),
    ],
    ids=["depthwise", "linear", "raw", "loud", "training", "callable"],
)
def test_refused(model, why):
    if isinstance(model, nn.Module) and "training" not in why:
        model.eval()
    twin, reason = make_fast_twin(model, IMAGES)
    assert reason.count("in float32: ") == 1 and why in reason
    kept = twin(IMAGES).detach()
    assert kept.dtype == torch.float32


def test_refused_without_hardware(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert "this hardware does not" in make_fast_twin(resnet(), IMAGES)[1]
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert fast_twin._hardware(torch.device("cpu")) is None
