"""Broken defenses under `classward audit` and, where it is installed, the original AutoAttack.

Each wraps the same network, trained on clean digits, whose true robust accuracy is low. What is
compared is not only the number, but whether anything said that it cannot be believed.

    python benchmarks/broken_defenses.py            # writes results/broken_defenses.json

The original is that of github.com/fra31/auto-attack; it is imported if it can be.
"""

import contextlib
import copy
import io
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.data.load import load_data
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.standard import Standard
from classward.evaluation.audit import audit
from classward.evaluation.request import versions
from classward.training.schedule import Recipe
from classward.training.train import train

HERE = Path(__file__).parent
RESULT = HERE / "results" / "broken_defenses.json"
PAGE = HERE.parent / "docs" / "broken_defenses.md"
TEXT = """# Broken defenses

Each defense below wraps one network, trained on clean digits, and adds no robustness: it only
makes attacks work worse. `classward audit` (quick budget) and the original AutoAttack
(standard) were run on the same {samples} test digits within l-inf {eps}, seed {seed}. Ours is
asked whether its number can be believed, not whether it is the lowest: the quick budget has no
Square attack in its headline, `--budget standard` has. Three models it refuses before any
attack.

| model | ours | verdict | checks that failed | original | its flags |
|---|---|---|---|---|---|
{table}

A verdict of `suspect` or `unsound` stands beside the number wherever it is shown, and `unsound`
ends with exit code 4. "-": no number, for the model was refused, or the original stopped with
an error. The double normalisation is another network with its own robust accuracy, which only
a known clean accuracy (`--expect-clean`) can tell from the one that was meant.

`python benchmarks/broken_defenses.py` repeats the runs and writes this page; the classes are in
`tests/evaluation/zoo.py`, each here at the middle of its range. The tests take three more
strengths of each, drawn by a seed after the thresholds had been fixed, on these digits and on a
network of CIFAR-10.
"""
EPS, SAMPLES, SEED = 0.15, 50, 0
FLAGS = {  # a word of what the original prints -> what it means
    "randomized": "random",
    "zero gradient": "zero gradients",
    "Square Attack has decreased": "Square much better",
    "softmax": "softmax",
    "optimization": "optimises inside",
}
RECIPE = Recipe(epochs=15, learning_rate=0.05, schedule="one_cycle", validation=0)
INNER = PGD(ball=Linf(EPS), step_size=EPS / 4, steps=7)


def main() -> None:
    """Run both on every defense, print a table, keep the figures."""
    sys.path.insert(0, str(HERE.parent / "tests" / "evaluation"))
    from zoo import BROKEN, TrainMode, middle

    digits = load_data("digits", split="train")
    plain = train(Standard(), "small_cnn", digits, recipe=RECIPE, seed=SEED).last.eval()
    robust = train(
        AdversarialTraining(), "small_cnn", digits, attack=INNER, recipe=RECIPE, seed=SEED
    ).last.eval()
    models: dict[str, nn.Module] = {"undefended": plain, "adversarially trained": robust}
    for broken in BROKEN:
        made = broken(copy.deepcopy(plain), middle(broken))
        models[broken.__name__] = made if broken is TrainMode else made.eval()
    rows = {}
    for name, model in models.items():
        rows[name] = {"ours": _ours(model), "original": _original(model)}
        print(name, rows[name], flush=True)
    result = {
        "eps": EPS,
        "samples": SAMPLES,
        "seed": SEED,
        "versions": versions(),
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    PAGE.write_text(page(result))


def page(result: dict[str, Any]) -> str:
    """The page of the documentation, from a kept result."""
    rows = [
        f"| {name} | {_share(row['ours'].get('robust'))} | **{row['ours']['verdict']}** | "
        f"{', '.join(row['ours'].get('failed', [row['ours'].get('why', '')]))} | "
        f"{_share(row['original'] and row['original']['robust'])} | "
        f"{', '.join(row['original']['flags']) if row['original'] else 'not run'} |"
        for name, row in result["rows"].items()
    ]
    return TEXT.format(**result, table="\n".join(rows))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _ours(model: nn.Module) -> dict[str, Any]:
    data = load_data("digits", split="test", samples=SAMPLES)
    torch.manual_seed(SEED)
    try:
        found = audit(model, data, eps=EPS, batch_size=SAMPLES, seed=SEED)
    except InputError as error:
        return {"verdict": "refused", "why": str(error)}
    return {
        "clean": found.clean_accuracy,
        "robust": found.robust_accuracy,
        "verdict": found.verdict,
        "failed": [check.name for check in found.checks if not check.passed],
    }


def _original(model: nn.Module) -> dict[str, Any] | None:
    try:
        from autoattack import AutoAttack  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    data = load_data("digits", split="test", samples=SAMPLES)
    images, labels = data.batch(torch.arange(len(data))), data.labels
    torch.manual_seed(SEED)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            attack = AutoAttack(model, norm="Linf", eps=EPS, device="cpu", verbose=False)
            made = attack.run_standard_evaluation(images, labels, bs=SAMPLES)
            right: Tensor = model(images).argmax(dim=1) == labels
            share = (right & (model(made).argmax(dim=1) == labels)).double().mean().item()
        except Exception as error:  # noqa: BLE001 - whatever it stops with is the finding
            return {"robust": None, "flags": [f"stops with {type(error).__name__}"]}
    flags = [flag for word, flag in FLAGS.items() if word in said.getvalue()]
    return {"robust": share, "flags": flags}


if __name__ == "__main__":
    main()
