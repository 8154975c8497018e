"""One epoch of adversarial training, beside its bare passes and a loop as TRADES published it.

Run `python benchmarks/training.py` on an idle machine; `--rounds 1 --samples 32` tries it out.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from measure import measured
from row import Row, Strength
from torch import Tensor, nn
from torch.nn import functional as F

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.types import Precision
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Defense
from classward.defenses.trades import Trades
from classward.models.load import build
from classward.models.network import Network
from classward.training.schedule import Recipe
from classward.training.train import train

EPS, STEP, STEPS, BETA, RATE = 8 / 255, 2 / 255, 10, 6.0, 0.01
ATTACK = PGD(ball=Linf(EPS), step_size=STEP, steps=STEPS)
KEPT = Path(__file__).parent / "results" / "training.json"


def rows(model: str, samples: int, size: int) -> Iterator[Row]:
    """An epoch of each defense, in float32 and in mixed precision.

    Strength is the mean loss of the epoch, on random images.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(samples, 3, size, size, generator=generator)
    labels = torch.arange(samples) % 10
    data, network = (
        Split(images, labels),
        build(model, classes=10, channels=3, size=size, seed=0),
    )
    batch = min(samples, 64)
    yield Row(
        name=f"PGD-10 training, {model}",
        ours=lambda: _ours(AdversarialTraining(attack=ATTACK), network, data, batch, "exact"),
        bare=lambda: _bare(network, images, labels, batch),
        bars={"bare": 1.05},
    )
    for precision, bar in (("exact", 1.3), ("fast", 3.0)):
        yield Row(
            name=f"TRADES, {model}, {precision}",
            ours=lambda p=precision: _ours(
                Trades(attack=ATTACK, beta=BETA), network, data, batch, p
            ),
            peers={"published loop": lambda: _published(network, images, labels, batch)},
            bars={"published loop": bar},
        )


def _ours(
    defense: Defense, network: Network, data: Split, batch: int, precision: Precision
) -> Strength:
    recipe = Recipe(
        epochs=1, batch_size=batch, validation=0, warm_up=0.0, learning_rate=RATE, drops=()
    )
    run = train(defense, network, data, recipe=recipe, precision=precision)
    return {"loss": sum(run.history[0]["loss"].values())}


def _bare(network: nn.Module, images: Tensor, labels: Tensor, batch: int) -> None:
    """Passes alone: for each attack step forward and input gradient, then a training pass."""
    for some, classes in zip(images.split(batch), labels.split(batch), strict=True):
        network.eval()
        for _ in range(STEPS):
            given = some.clone().requires_grad_()
            torch.autograd.grad(F.cross_entropy(network(given), classes), given)
        network.train()
        F.cross_entropy(network(some), classes).backward()
        network.zero_grad()


def _published(network: Network, images: Tensor, labels: Tensor, batch: int) -> Strength:
    """As TRADES was published: clean predictions anew at each step, and twice in train mode."""
    like = {name: rows.clone() for name, rows in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), RATE, 0.9, weight_decay=5e-4)
    divergence, total = nn.KLDivLoss(reduction="sum"), 0.0
    for some, classes in zip(images.split(batch), labels.split(batch), strict=True):
        network.eval()
        attacked = some + 1e-3 * torch.randn_like(some)
        for _ in range(STEPS):
            attacked = attacked.detach().requires_grad_()
            apart = divergence(network(attacked).log_softmax(1), network(some).softmax(1))
            (slope,) = torch.autograd.grad(apart, attacked)
            moved = attacked.detach() + STEP * slope.sign()
            attacked = torch.clamp(moved.clamp(some - EPS, some + EPS), 0, 1)
        network.train()
        optimizer.zero_grad()
        natural = F.cross_entropy(network(some), classes)
        apart = divergence(network(attacked).log_softmax(1), network(some).softmax(1))
        loss = natural + BETA * apart / len(some)
        loss.backward()
        optimizer.step()
        total += len(some) * loss.item()
    network.load_state_dict(like)
    return {"loss": total / len(images)}


def main() -> None:
    """Measure every row and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=KEPT)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time
    found = [
        measured(row, given.rounds, lambda line: print(line, flush=True), clock)
        for row in rows(given.model, given.samples, given.size)
    ]
    cpu = torch.backends.cpu.get_cpu_capability()
    about = {"torch": torch.__version__, "cpu": cpu, "threads": given.threads}
    about |= {"samples": given.samples, "size": given.size}
    given.out.write_text(json.dumps({"about": about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
