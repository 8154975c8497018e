"""Broken defenses: each makes a network look more robust to a careless evaluation than it is.

Each takes a network and a strength in [0, 1], from barely to badly broken.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Wrapped(nn.Module):
    def __init__(self, network, strength=0.5):
        super().__init__()
        self.network, self.strength = network, strength

    def before(self, images):
        return images

    def after(self, logits):
        return logits

    def forward(self, images):
        return self.after(self.network(self.before(images)))


class Noise(Wrapped):
    def before(self, images):
        return images + (0.02 + 0.08 * self.strength) * torch.randn_like(images)


class TinyNoise(Wrapped):
    def before(self, images):
        return images + 10 ** (-6 + 2 * self.strength) * torch.randn_like(images)


class Dropout(Wrapped):
    def before(self, images):
        return F.dropout(images, 0.05 + 0.2 * self.strength, training=True)


class RandomPad(Wrapped):
    """The image moved by a random number of pixels."""

    def before(self, images):
        size = images.shape[-1]
        most = 1 + round(self.strength)
        down, right = (int(torch.randint(0, most + 1, ())) for _ in range(2))
        return F.pad(images, (right, most - right, down, most - down))[..., :size, :size]


class Jpeg(Wrapped):
    """Rounded coefficients of a cosine transform of blocks of 4 x 4."""

    def before(self, images):
        n, c, h, w = images.shape
        at = torch.arange(4.0)
        basis = torch.cos(torch.pi / 4 * (at[None] + 0.5) * at[:, None]) * (0.5**0.5)
        basis[0] *= 0.5**0.5
        blocks = images.view(n, c, h // 4, 4, w // 4, 4).transpose(3, 4)
        step = 0.1 + 0.3 * self.strength
        rounded = (basis @ blocks @ basis.T / step).round() * step
        return (basis.T @ rounded @ basis).transpose(3, 4).reshape(n, c, h, w).clamp(0, 1)


class Rounding(Wrapped):
    def before(self, images):
        levels = round(15 - 11 * self.strength)
        return (images * levels).round() / levels


class Thermometer(Wrapped):
    """The number of thresholds below each pixel, as a sum of steps."""

    def before(self, images):
        thresholds = torch.linspace(0, 1, round(16 - 10 * self.strength) + 1)[1:]
        return sum((images >= t).float() for t in thresholds) / len(thresholds)


class Kill(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, scale):
        ctx.scale = scale
        return images.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.scale, None


class GradientKill(Wrapped):
    def before(self, images):
        return Kill.apply(images, 0.0)


class GradientNoise(Wrapped):
    """The sign of the gradient turned round."""

    def before(self, images):
        return Kill.apply(images, -1.0 - self.strength)


class NanGradient(Wrapped):
    def before(self, images):
        return Kill.apply(images, float("nan"))


class NanLogits(Wrapped):
    def after(self, logits):
        bad = torch.arange(len(logits)) % round(8 - 6 * self.strength) == 0
        return logits.masked_fill(bad[:, None], float("nan"))


class Loud(Wrapped):
    def after(self, logits):
        return logits * 10 ** (3 + 2 * self.strength)


class Softmax(Wrapped):
    def after(self, logits):
        return logits.softmax(dim=1)


class LoudSoftmax(Wrapped):
    def after(self, logits):
        return (logits * 1e4).softmax(dim=1)


class OneHot(Wrapped):
    def after(self, logits):
        return F.one_hot(logits.argmax(dim=1), logits.shape[1]).float() * (
            1 + 9 * self.strength
        )


class Detach(Wrapped):
    """Only a sliver of the gradient, and one that says nothing, comes through."""

    def after(self, logits):
        return logits.detach() + 0 * logits


class Purify(Wrapped):
    """Each image moved to where the network is surer of its own answer."""

    def before(self, images):
        moved = images.detach()
        for _ in range(1 + round(2 * self.strength)):
            with torch.enable_grad():
                moved = moved.requires_grad_()
                logits = self.network(moved)
                loss = F.cross_entropy(logits, logits.argmax(dim=1))
                (gradient,) = torch.autograd.grad(loss, moved)
            moved = (moved - 0.05 * gradient.sign()).clamp(0, 1).detach()
        return moved + 0 * images


class KWta(Wrapped):
    """Only the largest features are let through, which changes from pixel to pixel."""

    def __init__(self, network, strength=0.5):
        super().__init__(network, strength)
        keep = 0.2 - 0.15 * strength

        def largest(layer, given, out):
            flat = out.flatten(1)
            least = flat.topk(max(1, round(keep * flat.shape[1])), dim=1).values[:, -1:]
            return (flat * (flat >= least)).view_as(out)

        for part in network.modules():
            if isinstance(part, nn.ReLU):
                part.register_forward_hook(largest)


class DoubleNormalisation(Wrapped):
    def before(self, images):
        return (images - 0.5) / (0.3 - 0.15 * self.strength)


class TrainMode(Wrapped):
    """Dropout and batch statistics that depend on the mode, handed over in train mode."""

    def __init__(self, network, strength=0.5):
        super().__init__(network, strength)
        self.drop = nn.Dropout(0.1 + 0.3 * strength)
        self.train()

    def before(self, images):
        return self.drop(images)


BROKEN = [
    Noise, TinyNoise, Dropout, RandomPad, Jpeg, Rounding, Thermometer, GradientKill,
    GradientNoise, NanGradient, NanLogits, Loud, Softmax, LoudSoftmax, OneHot, Detach, Purify,
    KWta, DoubleNormalisation, TrainMode,
]  # fmt: skip
