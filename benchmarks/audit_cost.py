"""What an audit costs beyond the passes of the network: the ratio of the two, in one process.

The bare passes are those of the network as it is (float32, batch norm not folded), without an
attack around them, measured before and after each audit; the audit's own count of passes says
how many it needed. A ratio of 1 is an evaluator that costs nothing; below 1, the twin pays.

    python benchmarks/audit_cost.py [--samples first:1000] [--weights FILE]
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.audit import audit
from classward.evaluation.request import versions
from classward.models.load import load_model

RESULTS = Path(__file__).parent / "results"
BATCH = 128


def main() -> None:
    """Measure, print, and keep the result."""
    asked = _arguments()
    try:
        data = load_data("cifar10", samples=asked.samples)
    except ValueError as error:
        raise SystemExit(f"CIFAR-10 is needed: {error}") from None
    network = load_model("resnet20", weights=asked.weights)
    rounds = [_round(network, data) for _ in range(asked.rounds)]
    ratio = statistics.median(entry["ratio"] for entry in rounds)
    result = {
        "what": "seconds of an audit / seconds of its passes, bare",
        "model": "resnet20, untrained" if asked.weights is None else asked.weights.name,
        "data": data.name,
        "samples": len(data),
        "batch_size": BATCH,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "versions": versions(),
        "ratio": ratio,
        "rounds": rounds,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "audit_cost.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"audit / bare passes: {ratio:.3f} (median of {len(rounds)})")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", default="first:1000")
    parser.add_argument("--weights", type=Path, help="of ResNet-20; untrained without")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _round(network: nn.Module, data: Split) -> dict[str, float]:
    before = _bare(network, data)
    started = time.perf_counter()
    audited = audit(network, data, eps=4 / 255, batch_size=BATCH)
    seconds = time.perf_counter() - started
    after = _bare(network, data)
    forward, both = ((x + y) / 2 for x, y in zip(before, after, strict=True))
    passes = audited.passes
    bare = (passes.forward - passes.backward) * forward + passes.backward * both
    return {
        "seconds": round(seconds, 2),
        "seconds_recorded": round(audited.seconds, 2),
        "bare_seconds": round(bare, 2),
        "forward": passes.forward,
        "backward": passes.backward,
        "ratio": round(seconds / bare, 4),
    }


def _bare(network: nn.Module, data: Split, repeats: int = 15) -> tuple[float, float]:
    """Median seconds for one image: of a forward pass, and of a forward and a backward one."""
    images = data.batch(torch.arange(min(BATCH, len(data))))
    labels = data.labels[: len(images)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.no_grad():
            network(images)
        middle = time.perf_counter()
        asked = images.clone().requires_grad_()
        torch.autograd.grad(F.cross_entropy(network(asked), labels, reduction="sum"), asked)
        times[0].append((middle - started) / len(images))
        times[1].append((time.perf_counter() - middle) / len(images))
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    main()
