"""Ask the original AutoAttack which images survive it; what it says is kept as golden sets.

Needs the package `autoattack` of github.com/fra31/auto-attack (commit a392200) beside
classward, and the real data in the folder that CLASSWARD_DATA names. Ids and settings are all
that is stored.

    python benchmarks/autoattack_golden.py [NAME ...]        minutes for each, on one core
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from autoattack import AutoAttack
from torch import Tensor, nn

from classward import Split, load_data, load_model
from classward.evaluation.judge import model_digest

GOLDEN = Path(__file__).parents[1] / "tests" / "evaluation" / "golden"
SEEDS = [0, 1, 2]
SUBJECTS = {
    "digits_standard": {"data": "digits", "norm": "linf", "eps": 0.1},
    "digits_adversarial": {"data": "digits", "norm": "l2", "eps": 0.7},
    "cifar10_small_lp8": {"data": "cifar10", "norm": "linf", "eps": 8 / 255},
    "cifar10_cnn_a_adv4": {"data": "cifar10", "norm": "l2", "eps": 0.5},
    "cifar10_resnet20": {"data": "cifar10", "norm": "linf", "eps": 1 / 255},
}
WEIGHTS = {
    "cifar10_small_lp8": "models/cifar10_small_lp8.safetensors",
    "cifar10_cnn_a_adv4": "models/cifar10_cnn_a_adv4.safetensors",
    "cifar10_resnet20": "models/cifar10_resnet20_std.safetensors",
}


def survivors(
    model: nn.Module, data: Split, norm: str, eps: float, seed: int
) -> dict[str, str]:
    """Ids that are right before the attacks, and after each of them, in the official order."""
    images, labels = data.batch(torch.arange(len(data))), data.labels
    asked = AutoAttack(
        model,
        norm={"linf": "Linf", "l2": "L2"}[norm],
        eps=eps,
        seed=seed,
        version="standard",
        device="cpu",
        verbose=False,
    )
    with torch.no_grad():
        left = (model(images).argmax(dim=1) == labels).nonzero().flatten()
    kept = {"clean": written(data.ids[left])}
    for attack in list(asked.attacks_to_run):
        if len(left) > 0:
            asked.attacks_to_run = [attack]
            _, said = asked.run_standard_evaluation(
                images[left], labels[left], return_labels=True
            )
            left = left[said == labels[left]]
        kept[attack] = written(data.ids[left])
    return kept


def written(ids: Tensor) -> str:
    """Ids as one line of text."""
    return " ".join(map(str, ids.tolist()))


def golden(name: str) -> dict[str, Any]:
    """One entry of the file: what was asked, and the ids that survived, for each seed."""
    subject, weights = SUBJECTS[name], WEIGHTS.get(name)
    data = load_data(subject["data"], split="test", samples=100)
    model = load_model(
        f"{GOLDEN / 'models.py'}:{name}",
        weights=weights and Path(os.environ["CLASSWARD_DATA"], weights),
    )
    task = (model, data, subject["norm"], subject["eps"])
    return subject | {
        "samples": 100,
        "version": "standard",
        "weights": weights,
        "digest": model_digest(model),
        "torch": torch.__version__,
        "survivors": {str(seed): survivors(*task, seed) for seed in SEEDS},
    }


def main(names: Iterable[str]) -> None:
    """Renew the entries of these names."""
    path = GOLDEN / "autoattack.json"
    entries = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        entries[name] = golden(name)
        path.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")
        for seed, kept in entries[name]["survivors"].items():
            print(f"{name}, seed {seed}: {len(kept['square'].split())} survive")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:] or SUBJECTS)
