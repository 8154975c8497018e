"""Does a corrector add robustness where there is some? docs/corrected_robust.md.

    python results/questions/corrected_robust.py DATA OUT

Adversarially trained networks, each alone and with a corrector behind it, under AutoAttack
standard on the whole, paired by image.

Protocol, written before the last run. Correctors are fitted on logits of 1,500 training images
(digits: 900): clean ones, and ones attacked by PGD-20 on the margin; in three rounds or in one,
a further round attacking network and corrector as they stand and adding its logits. Chosen by
accuracy under PGD-20 on the margin of the whole, on the next 300 training images, among all
CANDIDATES and "none". The best corrector is reported even where "none" is better, once, on the
first 500 test images (digits: 500 of 597). What stands under AutoAttack on the whole must also
stand under the small suite led by the network alone, which sees no corrector that hides
gradients.
"""

import json
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from crafting import answers, crafted
from safetensors.torch import load_file
from torch import Tensor, nn

from classward.analysis.significance import share
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.losses import LOSSES
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.evaluation.request import versions
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import aa_lite, autoattack
from classward.experiments.contest_table import lead
from classward.models.corrected import Corrected
from classward.models.normalize import Normalize
from classward.records.atomic import atomic_write
from classward.training.schedule import Recipe
from classward.training.train import train

KEPT = Path(__file__).with_suffix(".json")
TEST = 500
CANDIDATES = [
    {"ranks": ranks, "epochs": epochs, "rounds": rounds}
    for ranks, epochs, rounds in product((None, 128), (100, 300), (1, 3))
]
TRAINED = {"digits": 0.2, "fashion_mnist": 0.1}  # by us
PUBLISHED = {  # data, radius, mean, deviation
    "mnist_cnn_a_adv": ("mnist", 0.3, [0.0], [1.0]),
    "cifar10_cnn_a_adv": ("cifar10", 2 / 255, [0.485, 0.456, 0.406], [0.225] * 3),
    "cifar10_cnn_a_adv4": ("cifar10", 8 / 255, [0.485, 0.456, 0.406], [0.225] * 3),
}


def published(file: Path, mean: list[float], std: list[float]) -> nn.Module:
    """Two convolutions of width 4 and stride 2, and two linear layers."""
    tensors = {name: rows.float() for name, rows in load_file(file).items()}
    channels, features = tensors["0.weight"].shape[1], tensors["5.weight"].shape[1]
    layers = nn.Sequential(
        nn.Conv2d(channels, 16, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    layers.load_state_dict(tensors)
    return nn.Sequential(Normalize(mean, std), layers).eval()


def trained(name: str, eps: float, training: Split, out: Path) -> nn.Module:
    """Adversarial training of the small CNN."""
    attack = PGD(ball=Linf(eps), step_size=eps / 4, steps=7)
    return train(
        AdversarialTraining(),
        "small_cnn",
        training,
        attack=attack,
        recipe=Recipe(epochs=15, batch_size=64, schedule="one_cycle", clip=1.0),
        out=out / name,
        resume=(out / name / "manifest.json").exists(),
    ).best.eval()


def attack_of(eps: float) -> PGD:
    """What fits and chooses: PGD-20."""
    return PGD(ball=Linf(eps), step_size=eps / 8, steps=20)


def fitted(model: nn.Module, data: Split, eps: float, asked: Mapping[str, Any]) -> Corrector:
    """A corrector after its rounds."""
    labels, whole = data.labels, model
    rows, corrector = [answers(model, data.batch(torch.arange(len(data))))], Corrector()
    for _ in range(asked["rounds"]):
        images = crafted(whole, attack_of(eps), LOSSES["margin"], data)
        rows.append(answers(model, images))
        corrector = Corrector.small(ranks=asked["ranks"], epochs=asked["epochs"])
        corrector.fit(torch.cat(rows), labels.repeat(len(rows)))
        whole = Corrected(model, corrector.network_)
    return corrector


def stands(model: nn.Module, data: Split, eps: float) -> float:
    """Accuracy under the attack that chooses."""
    images = crafted(model, attack_of(eps), LOSSES["margin"], data)
    return (answers(model, images).argmax(dim=1) == data.labels).double().mean().item()


def of_network(
    model: nn.Module, fit: Split, choosing: Split, test: Split, eps: float, out: Path
) -> dict[str, Any]:
    """One network: every candidate, and the best of them on test images."""
    found: list[dict[str, Any]] = [{"none": True, "stands": stands(model, choosing, eps)}]
    best: Corrector | None = None
    for asked in CANDIDATES:
        corrector = fitted(model, fit, eps, asked)
        whole = Corrected(model, corrector.network_)
        found.append(dict(asked) | {"stands": stands(whole, choosing, eps)})
        if found[-1]["stands"] == max(row["stands"] for row in found[1:]):
            best = corrector
        print(out.name, found[-1], flush=True)
    assert best is not None
    whole, within = Corrected(model, best.network_), Linf(eps)
    alone = run_suite(model, autoattack(within), test, out=out / "alone", resume=True).robust
    own = run_suite(whole, autoattack(within), test, out=out / "whole", resume=True).robust
    led = run_suite(whole, aa_lite(within), test, gradient_model=model).robust
    both = own & led
    clean = [
        answers(one, test.batch(torch.arange(len(test)))).argmax(dim=1) == test.labels
        for one in (model, whole)
    ]
    return {
        "eps": eps,
        "candidates": found,
        "chosen": best.get_params(),
        "clean": [_share(right) for right in clean],
        "robust": [_share(right) for right in (alone, both)],
        "hidden": int((own & ~led).sum()),
        "lead": lead(both[None], alone[None]).to_dict(),
    }


def measure(root: Path, out: Path) -> dict[str, Any]:
    """The whole experiment."""
    rows = {}
    for name, (data, eps, mean, std) in PUBLISHED.items():
        model = published(root / f"models/{name}.safetensors", mean, std)
        rows[name] = of_network(model, *parts(data, root), eps, out / name)
    for name, eps in TRAINED.items():
        training = load_data(name, split="train", root=root)
        fit, choosing, test = parts(name, root)
        others = ~torch.isin(training.ids, choosing.ids)
        few = training.select(others.nonzero().flatten()[-6000:])
        model = trained(name, eps, few, out / "networks")
        rows[f"{name}, ours"] = of_network(model, fit, choosing, test, eps, out / name)
    return {"versions": versions(), "settings": {"test": TEST, "seed": 0}, "networks": rows}


def parts(name: str, root: Path) -> tuple[Split, Split, Split]:
    """Training images to fit on, others to choose by, and test images."""
    training = load_data(name, split="train", root=root)
    fit = min(1500, len(training) - 300)
    return (
        training.select(torch.arange(fit)),
        training.select(torch.arange(fit, fit + 300)),
        load_data(name, samples=f"first:{TEST}", root=root),
    )


def table(kept: Mapping[str, Any]) -> list[str]:
    """The rows of the page, in percent; the lead in points, paired by image."""
    lines = [
        ["network", "eps", "clean", "with corrector", "AutoAttack", "with corrector", "lead"]
    ]
    lines.append(["---"] * len(lines[0]))
    for name, row in kept["networks"].items():
        shares = [f"{100 * s['value']:.1f}" for s in (*row["clean"], *row["robust"])]
        ends = [f"{100 * row['lead'][end]:+.1f}" for end in ("difference", "low", "high")]
        found = f"{ends[0]} ({ends[1]} to {ends[2]})"
        lines.append([name, f"{row['eps']:.3g}", *shares, found])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _share(right: Tensor) -> dict[str, Any]:
    return share(int(right.sum()), len(right)).to_dict()


if __name__ == "__main__":
    told = measure(Path(sys.argv[1]), Path(sys.argv[2]))
    atomic_write(KEPT, json.dumps(told, indent=1).encode())
    print("\n".join(table(told)))
