"""An epoch of the paper's corrector, 1,000 classes, beside the loop one writes first."""

from collections.abc import Iterator

import torch
from row import Row, Strength
from torch import nn
from torch.nn import functional as F

from classward.core.types import Labels, Logits
from classward.correction.corrector import Corrector

CLASSES, SAMPLES = 1000, 1280


def rows() -> Iterator[Row]:
    """Exact and fast, on random logits; strength is the mean loss of the epoch."""
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
