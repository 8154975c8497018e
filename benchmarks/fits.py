"""The paper's corrector at 1,000 classes: an epoch of its fit, and what it listens to."""

from collections.abc import Iterator

import torch
from row import Row, Strength
from torch import Tensor, nn
from torch.nn import functional as F

from classward.analysis.supporting_classes import support, support_by_backward
from classward.core.types import Labels, Logits
from classward.correction.corrector import Corrector

CLASSES, SAMPLES, EXPLAINED = 1000, 2560, 500


def rows() -> Iterator[Row]:
    """A fit, exact and fast, on random logits; and S_k of each sample.

    Strength is the mean loss of the epoch, and the mean size of S_k.
    """
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(SAMPLES, CLASSES, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    labels[:CLASSES] = torch.arange(CLASSES)
    for precision, bar in (("exact", 1.7), ("fast", 2.8)):
        yield Row(
            name=f"corrector, an epoch of 1,000 classes{', fast' * (precision == 'fast')}",
            ours=lambda p=precision: _ours(logits, labels, p),
            peers={"plain loop": lambda: _plain(logits, labels)},
            bars={"plain loop": bar},
        )
    first, second = nn.Linear(CLASSES, 10 * CLASSES), nn.Linear(10 * CLASSES, CLASSES)
    network = nn.Sequential(first, nn.ReLU(), second).requires_grad_(False)
    weights = (second.weight, first.weight, first.bias)
    few = logits[:EXPLAINED], labels[:EXPLAINED]
    yield Row(
        name="S_k of 1,000 classes",
        ours=lambda: _size([support(*few, *weights)]),
        peers={
            "one backward pass": lambda: _size([support_by_backward(network, *few)]),
            "one for each sample": lambda: _size(
                [
                    support_by_backward(network, row[None], label[None])
                    for row, label in zip(*few, strict=True)
                ]
            ),
        },
        bars={"one for each sample": 25.0},
    )


def _size(scores: list[Tensor]) -> Strength:
    return {"mean |S|": torch.cat(scores).abs().mean().item()}


def _ours(logits: Logits, labels: Labels, precision: str) -> Strength:
    fitted = Corrector(epochs=1, precision=precision).fit(logits.numpy(), labels.numpy())
    return {"loss": fitted.loss_curve_[0]}


def _plain(logits: Logits, labels: Labels) -> Strength:
    """Adam as it comes, in float32."""
    torch.manual_seed(0)
    layers = [nn.Linear(CLASSES, 10 * CLASSES), nn.ReLU(), nn.Dropout(0.5)]
    network = nn.Sequential(*layers, nn.Linear(10 * CLASSES, CLASSES))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-5, weight_decay=1e-4)
    total = 0.0
    for rows in torch.randperm(SAMPLES).split(256):
        loss = F.cross_entropy(network(logits[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += len(rows) * loss.item()
    return {"loss": total / SAMPLES}
