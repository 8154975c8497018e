"""Broken defenses: each makes a network look more robust to a careless evaluation than it is.

Each takes a network and a strength within its `RANGE`, from barely to badly broken, in the unit
that its docstring names; one without a range has no strength. The strengths of the tests were
drawn after the thresholds of the checks had been fixed, and no threshold was moved for one.
"""

import math
import random

import torch
from torch import nn
from torch.nn import functional as F

SEED = 20261121  # of the strengths
DRAWS = 3


def strengths(broken):
    """Three strengths, log-uniform within the range of the class; one if it has no range."""
    drawn = random.Random(f"{SEED} {broken.__name__}")
    low, high = map(math.log, broken.RANGE)
    draws = [round(math.exp(drawn.uniform(low, high)), 9) for _ in range(DRAWS)]
    return draws if low < high else draws[:1]


def middle(broken):
    """The strength in the middle of the range, on a logarithmic scale."""
    return math.sqrt(math.prod(broken.RANGE))


class Wrapped(nn.Module):
    RANGE = (1.0, 1.0)

    def __init__(self, network, strength):
        super().__init__()
        self.network, self.strength = network, strength

    def before(self, images):
        return images

    def after(self, logits):
        return logits

    def forward(self, images):
        return self.after(self.network(self.before(images)))


class Noise(Wrapped):
    """Gaussian noise; strength is its deviation, in pixel units."""

    RANGE = (0.02, 0.1)

    def before(self, images):
        return images + self.strength * torch.randn_like(images)


class TinyNoise(Noise):
    """Noise that is next to nothing."""

    RANGE = (1e-6, 1e-4)


class Dropout(Wrapped):
    """Pixels set to 0; strength is their share."""

    RANGE = (0.05, 0.25)

    def before(self, images):
        return F.dropout(images, self.strength, training=True)


class RandomPad(Wrapped):
    """The image moved by a random number of pixels; strength is the most, rounded."""

    RANGE = (1.0, 3.0)

    def before(self, images):
        size = images.shape[-1]
        most = round(self.strength)
        down, right = (int(torch.randint(0, most + 1, ())) for _ in range(2))
        return F.pad(images, (right, most - right, down, most - down))[..., :size, :size]


class Jpeg(Wrapped):
    """Rounded coefficients of a cosine transform of blocks of 4 x 4; strength is the step."""

    RANGE = (0.1, 0.4)

    def before(self, images):
        n, c, h, w = images.shape
        at = torch.arange(4.0)
        basis = torch.cos(torch.pi / 4 * (at[None] + 0.5) * at[:, None]) * (0.5**0.5)
        basis[0] *= 0.5**0.5
        blocks = images.view(n, c, h // 4, 4, w // 4, 4).transpose(3, 4)
        rounded = (basis @ blocks @ basis.T / self.strength).round() * self.strength
        return (basis.T @ rounded @ basis).transpose(3, 4).reshape(n, c, h, w).clamp(0, 1)


class Rounding(Wrapped):
    """Few levels of grey; strength is their distance."""

    RANGE = (1 / 15, 1 / 4)

    def before(self, images):
        levels = round(1 / self.strength)
        return (images * levels).round() / levels


class Thermometer(Wrapped):
    """The number of thresholds below each pixel, as steps; strength is their distance."""

    RANGE = (1 / 16, 1 / 6)

    def before(self, images):
        thresholds = torch.linspace(0, 1, round(1 / self.strength) + 1)[1:]
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
    """No gradient at all."""

    def before(self, images):
        return Kill.apply(images, 0.0)


class GradientNoise(Wrapped):
    """The sign of the gradient turned round; strength is its factor."""

    RANGE = (1e-3, 1e3)

    def before(self, images):
        return Kill.apply(images, -self.strength)


class NanGradient(Wrapped):
    """A gradient that is not a number."""

    def before(self, images):
        return Kill.apply(images, float("nan"))


class NanLogits(Wrapped):
    """Logits that are not numbers; strength is the share of images with such."""

    RANGE = (1 / 8, 1 / 2)

    def after(self, logits):
        bad = torch.arange(len(logits)) % round(1 / self.strength) == 0
        return logits.masked_fill(bad[:, None], float("nan"))


class Loud(Wrapped):
    """Logits so large that cross-entropy vanishes; strength is their factor."""

    RANGE = (1e3, 1e5)

    def after(self, logits):
        return logits * self.strength


class Softmax(Wrapped):
    """Probabilities in place of logits."""

    def after(self, logits):
        return (logits * self.strength).softmax(dim=1)


class LoudSoftmax(Softmax):
    """Probabilities of 0 and 1; strength is the factor of the logits."""

    RANGE = (1e3, 1e5)


class OneHot(Wrapped):
    """The class alone; strength is its logit."""

    RANGE = (1.5, 10.0)

    def after(self, logits):
        return F.one_hot(logits.argmax(dim=1), logits.shape[1]).float() * self.strength


class Detach(Wrapped):
    """Only a sliver of the gradient, and one that says nothing, comes through."""

    def after(self, logits):
        return logits.detach() + 0 * logits


class Purify(Wrapped):
    """Each image moved to where the network is surer of its own answer; strength: how far."""

    RANGE = (0.02, 0.1)

    def before(self, images):
        moved = images.detach()
        for _ in range(2):
            with torch.enable_grad():
                moved = moved.requires_grad_()
                logits = self.network(moved)
                loss = F.cross_entropy(logits, logits.argmax(dim=1))
                (gradient,) = torch.autograd.grad(loss, moved)
            moved = (moved - self.strength / 2 * gradient.sign()).clamp(0, 1).detach()
        return moved + 0 * images


class KWta(Wrapped):
    """Only the largest features are let through; strength is the share of those."""

    RANGE = (0.05, 0.2)

    def __init__(self, network, strength):
        super().__init__(network, strength)

        def largest(layer, given, out):
            flat = out.flatten(1)
            kept = max(1, round(strength * flat.shape[1]))
            least = flat.topk(kept, dim=1).values[:, -1:]
            return (flat * (flat >= least)).view_as(out)

        for part in network.modules():
            if isinstance(part, nn.ReLU):
                part.register_forward_hook(largest)


class DoubleNormalisation(Wrapped):
    """Images normalised once too often; strength is the deviation they are divided by."""

    RANGE = (0.15, 0.3)

    def before(self, images):
        return (images - 0.5) / self.strength


class TrainMode(Wrapped):
    """Dropout of pixels, handed over in train mode; strength is their share."""

    RANGE = (0.1, 0.4)

    def __init__(self, network, strength):
        super().__init__(network, strength)
        self.drop = nn.Dropout(strength)
        self.train()

    def before(self, images):
        return self.drop(images)


BROKEN = [
    Noise, TinyNoise, Dropout, RandomPad, Jpeg, Rounding, Thermometer, GradientKill,
    GradientNoise, NanGradient, NanLogits, Loud, Softmax, LoudSoftmax, OneHot, Detach, Purify,
    KWta, DoubleNormalisation, TrainMode,
]  # fmt: skip
