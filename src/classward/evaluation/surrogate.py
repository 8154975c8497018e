"""A network taught by the model: what turns it turns the model, whatever masks the gradient.

A small convolutional network learns the model's answers to the samples of the audit and to
mixtures of them; it sees classes alone, so neither the gradient nor the scale of the logits can
mislead it.

Source: Papernot et al., "Practical Black-Box Attacks against Machine Learning",
arXiv:1602.02697, Sec. 4. Reading: mixtures of two samples with noise of the ball on top take
the place of its steps along the substitute's gradient: one round of questions is enough.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from classward.core.balls import Ball
from classward.core.randomness import SampleRandom
from classward.core.types import Images, Labels
from classward.core.wilson import wilson
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.models.network import first_weights

SAMPLES = 1000  # that it learns from at most, spread over the data
COPIES = 4  # mixtures for each of them
HELD = 5  # every fifth sample is kept to ask how often model and surrogate agree
SIDE = 32  # pixels; larger images are averaged down first
STEPS, BATCH, RATE = 200, 64, 4e-3  # of Adam


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A network and how well it knows what the model says.

    Attributes:
        network: Images in [0, 1] to logits, in eval mode.
        agreed: Samples, kept from it, on which it says what the model says.
        held: How many were kept.
        commonest: Share of the model's commonest answer to all samples.
    """

    network: nn.Module
    agreed: int
    held: int
    commonest: float

    @property
    def agreement(self) -> float:
        """Share of the samples kept from it on which it agrees with the model."""
        return self.agreed / self.held

    @property
    def useful(self) -> bool:
        """Whether it knows more of the model than its commonest answer."""
        return wilson(self.agreed, self.held)[0] > self.commonest


def teach(
    model: Model,
    data: Split,
    ball: Ball,
    *,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "cpu",
) -> Taught:
    """Teach a small network what the model says; the same network for the same arguments.

    It costs at most 1 + `COPIES` forward passes of the model for each of at most `SAMPLES`
    samples, and `STEPS` steps of a small network; the global generator is left as it was.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        ball: Whose random points lie around the mixtures.
        seed: Seed of first weights, mixtures and order.
        batch_size: Images at once.
        device: A torch device.
    """
    spread = torch.linspace(0, len(data) - 1, min(SAMPLES, len(data))).round().long()
    data = data.select(spread)
    generator = torch.Generator().manual_seed(seed)
    kept = torch.arange(len(data)) % HELD == 0
    lessons = (~kept).nonzero().flatten()
    with judging(model, device):
        judge = Judge(model, data, device)
        assert judge.classes is not None
        pairs = [_answers(judge, torch.arange(len(data)), batch_size)]
        mixtures = _mixtures(judge, lessons, ball, seed, generator, batch_size)
        pairs += [(pairs[0][0][lessons], pairs[0][1][lessons]), *mixtures]
    (images, said), *learned = pairs
    network = _network(images.shape[1], judge.classes, seed).to(device)
    lesson, answers = zip(*learned, strict=True)
    if len(lessons):
        _fit(network, torch.cat(lesson), torch.cat(answers), generator)
    with torch.no_grad():
        agreed = network(images[kept]).argmax(dim=1) == said[kept]
    return Taught(
        network=network,
        agreed=int(agreed.sum()),
        held=len(agreed),
        commonest=said.bincount().max().item() / len(said),
    )


def _answers(judge: Judge, positions: Tensor, batch_size: int) -> tuple[Images, Labels]:
    """Images, made small, and what the model says of them."""
    small, said = [], []
    for part in positions.split(batch_size):
        images, _, ids = judge.batch(part)
        small.append(_small(images))
        said.append(judge.logits(images, ids).argmax(dim=1))
    return torch.cat(small), torch.cat(said)


def _mixtures(
    judge: Judge,
    lessons: Int64[Tensor, " n"],
    ball: Ball,
    seed: int,
    generator: torch.Generator,
    batch_size: int,
) -> Iterator[tuple[Images, Labels]]:
    """`COPIES` times: each sample, up to half of it another one, and what the model says."""
    for copy in range(COPIES):
        others = lessons[torch.randperm(len(lessons), generator=generator)]
        shares = 0.5 * torch.rand(len(lessons), generator=generator)
        for part, other, share in zip(
            lessons.split(batch_size),
            others.split(batch_size),
            shares.split(batch_size),
            strict=True,
        ):
            (first, _, ids), (second, _, _) = judge.batch(part), judge.batch(other)
            mixed = torch.lerp(first, second, share.view(-1, 1, 1, 1).to(first))
            mixed = ball.random_point(mixed, SampleRandom(seed, "teach", ids, copy))
            yield _small(mixed), judge.logits(mixed, ids).argmax(dim=1)


def _small(images: Images) -> Float[Tensor, "n c ..."]:
    height, width = images.shape[2:]
    return F.adaptive_avg_pool2d(images, (min(height, SIDE), min(width, SIDE)))


class _Surrogate(nn.Module):
    """Two convolutions and a hidden layer on the averaged image."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(64 * 16, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )

    def forward(self, images: Images) -> Tensor:
        return self.layers(_small(images) - 0.5)


def _network(channels: int, classes: int, seed: int) -> nn.Module:
    with first_weights(seed):
        return _Surrogate(channels, classes)


def _fit(network: nn.Module, images: Images, said: Labels, generator: torch.Generator) -> None:
    """A few hundred steps of Adam on cross-entropy; the network is then left in eval mode."""
    adam = torch.optim.Adam(network.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        drawn = torch.randint(len(images), (BATCH,), generator=generator).to(images.device)
        loss = F.cross_entropy(network(images[drawn]), said[drawn])
        adam.zero_grad()
        loss.backward()
        adam.step()
        rates.step()
    network.requires_grad_(False).eval()
