"""One corrector for all attacks? ResNet-20 on CIFAR-10, l-inf 16/255: docs/one_corrector.md.

    python results/questions/one_corrector.py DATA OUT     # goes on where it was stopped

Protocol, written before the last run. Fitted on attacked logits of the first 1,500 training
images. Chosen on test images 0 to 499, among all CANDIDATES: of those that keep 97 % of the
clean accuracy, the one with the best mean over the four attacks; if none keeps that much, the
one that keeps most. Reported once, on test images 500 to 1,499, which nothing else here saw;
selected are those that the network gets right. Left out one by one, an attack is unknown to
the fit and was not to the choice. UNSEEN attacks were neither fitted nor chosen on.
Controls: the paper's corrector on the same records; four specialists; the second-highest class.
"""

import json
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import cross_val_predict

from classward.attacks.apgd import APGD
from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import L2, Linf
from classward.core.types import Attack
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.adaptive import correction_table
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.evaluation.transfer import transfer_table
from classward.experiments.correction_ablations import part_of
from classward.experiments.correction_study import paper_attacks
from classward.experiments.measures.corrector_transfer import RULE, second_highest
from classward.models.load import load_model
from classward.records.atomic import atomic_write
from classward.records.record import Record

KEPT = Path(__file__).with_suffix(".json")
EPS = 16 / 255
FOUR = paper_attacks(EPS)
AGAIN = {f"pgd, start {seed}": seed for seed in (1, 2, 3)}  # other random starts, for the fit
UNSEEN: dict[str, Attack] = {
    "fgsm": FGSM(ball=Linf(EPS)),
    "pgd, 4/255": PGD(ball=Linf(EPS / 4), step_size=EPS / 32, steps=10),
    "pgd, 8/255": PGD(ball=Linf(EPS / 2), step_size=EPS / 16, steps=10),
    "pgd, l2 1": PGD(ball=L2(1.0), step_size=0.2, steps=10),
    "apgd": APGD(ball=Linf(EPS), steps=50),
}
CANDIDATES = [
    {"ranks": ranks, "p": p, "epochs": epochs, "starts": starts}
    for ranks, p, epochs, starts in product((None, 128), (0.3, 0.5, 0.7), (300, 900), (1, 4))
]
CLEAN_KEPT = 0.97
FALSE_ALARMS = 0.03


def attacked(
    model: Any, data: Split, attacks: Mapping[str, Attack], out: Path, seed: int = 0
) -> dict[str, Record]:
    """A record of each attack, kept in `out`."""
    return {
        name: run_attack(
            model,
            attack,
            data,
            seed=seed,
            precision="fast",
            out=out / name.replace("/", "-").replace(", ", "-"),
            resume=True,
        )
        for name, attack in attacks.items()
    }


def fitted(records: Mapping[str, Record], asked: Mapping[str, Any]) -> Corrector:
    """The candidate, fitted on those of the records that it asks for."""
    options = {name: asked[name] for name in ("ranks", "p", "epochs")}
    used = [r for name, r in records.items() if asked["starts"] > 1 or name not in AGAIN]
    return Corrector.small(**options).fit_records(used)


def judged(correctors: Mapping[str, Corrector], records: Mapping[str, Record]) -> list[dict]:
    """Accuracy over selected images: a row for each attack, and one for clean images."""
    told = transfer_table(correctors, records)
    rules = {name: second_highest(record) for name, record in records.items()}
    return [
        {"attack": name}
        | {c: share.to_dict() for c, share in zip(told.correctors, row, strict=True)}
        | ({RULE: rules[name].to_dict()} if name in rules else {})
        for name, row in zip(told.attacks, told.accuracy, strict=True)
    ]


def choose(fit: Mapping[str, Record], judge: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Every candidate with what it reaches, the best first."""
    found = []
    for asked in CANDIDATES:
        rows = judged({"one": fitted(fit, asked)}, judge)
        reached = {row["attack"]: row["one"]["value"] for row in rows}
        mean = float(np.mean([reached[name] for name in FOUR]))
        found.append(asked | reached | {"mean": mean})
        print(found[-1], flush=True)

    def order(row: Mapping[str, Any]) -> tuple[float, float]:
        return min(row["clean"], CLEAN_KEPT), row["mean"]

    return sorted(found, key=order, reverse=True)


def limit(record: Record) -> dict[str, float]:
    """How well boosted trees tell C&W's logits from clean ones, cross-validated by image.

    Trees see the logits, sorted and as they are, and their gaps; no function of the logits is
    proven to do no better. `recovered` is what the second-highest class then gives.
    """

    def features(logits: torch.Tensor) -> torch.Tensor:
        ordered, classes = logits.sort(dim=1, descending=True)
        gaps = ordered[:, :-1] - ordered[:, 1:]
        return torch.cat([logits, ordered, gaps, classes[:, :3].float()], dim=1)

    chosen = record.correct & record.success
    clean, adversarial = record.clean_logits[chosen], record.adversarial_logits[chosen]
    rows = torch.cat([features(clean), features(adversarial)]).numpy()
    truth, image = np.repeat([0, 1], len(clean)), np.tile(np.arange(len(clean)), 2)
    scores = np.asarray(
        cross_val_predict(
            HistGradientBoostingClassifier(learning_rate=0.05, max_iter=200, random_state=0),
            rows,
            truth,
            cv=folds(image),
            method="predict_proba",
        )
    )[:, 1]
    false, true, cuts = roc_curve(truth, scores)
    at = int(np.searchsorted(false, FALSE_ALARMS, side="right")) - 1
    flagged = torch.from_numpy(scores[len(clean) :] >= cuts[at])
    second = adversarial.topk(2, dim=1).indices[:, 1] == record.labels[chosen]
    return {
        "images": len(clean),
        "auroc": float(roc_auc_score(truth, scores)),
        "caught": float(true[at]),
        "false_alarms": float(false[at]),
        "second_right": second.double().mean().item(),
        "recovered": (flagged & second).double().mean().item(),
    }


def folds(image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Five folds; both rows of an image are in the same one."""
    fold = np.random.default_rng(0).permutation(image.max() + 1) % 5
    return [
        (np.flatnonzero(fold[image] != one), np.flatnonzero(fold[image] == one))
        for one in range(5)
    ]


def measure(root: Path, out: Path) -> dict[str, Any]:
    """The whole experiment."""
    weights = root / "models/cifar10_resnet20_std.safetensors"
    model = load_model("resnet20", weights=weights)
    training = load_data("cifar10", split="train", samples="first:1500", root=root)
    test = load_data("cifar10", samples="first:1500", root=root)
    choosing, last = test.select(torch.arange(500)), test.select(torch.arange(500, 1500))
    fit = attacked(model, training, FOUR, out / "fit")
    for name, seed in AGAIN.items():
        fit |= attacked(model, training, {name: FOUR["pgd"]}, out / "fit", seed)
    chosen = choose(fit, attacked(model, choosing, FOUR, out / "choosing"))
    asked = chosen[0]
    records = attacked(model, last, FOUR | UNSEEN, out / "last")
    paper = {"ranks": None, "p": 0.3, "epochs": 300, "starts": asked["starts"]}
    one = fitted(fit, asked)
    correctors = {"one": one, "paper's, all four": fitted(fit, paper)}
    for name in FOUR:
        correctors[f"paper's, {name}"] = fitted({name: fit[name]}, paper)
        rest = {other: r for other, r in fit.items() if not other.startswith(name)}
        correctors[f"one without {name}"] = fitted(rest, asked)
    first = torch.arange(200)
    seen = {"pgd": part_of(records["pgd"], first)}
    adaptive = correction_table(model, one, last.select(first), seen, eps=EPS, norm="linf")
    return {
        "settings": {"eps": EPS, "fit": 1500, "choosing": 500, "last": 1000, "seed": 0},
        "versions": versions(),
        "chosen": asked,
        "candidates": chosen,
        "selected": int(records["pgd"].correct.sum()),
        "rows": judged(correctors, records),
        "adaptive": {name: share.to_dict() for name, share in adaptive.adaptive.items()},
        "limit": limit(records["carlini_wagner"]),
    }


def table(kept: Mapping[str, Any]) -> list[str]:
    """The rows of the page: percent over selected images, with 95 % intervals."""
    lines = [
        "| attack | one | the paper's | its specialist | one without it | second-highest |"
    ]
    lines.append("| --- " * 6 + "|")
    for row in kept["rows"]:
        name = row["attack"]
        columns = ("one", "paper's, all four", f"paper's, {name}", f"one without {name}", RULE)
        cells = [_cell(row[column]) if column in row else "·" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(share: Mapping[str, float]) -> str:
    return f"{100 * share['value']:.1f} ({100 * share['low']:.1f} to {100 * share['high']:.1f})"


if __name__ == "__main__":
    told = measure(Path(sys.argv[1]), Path(sys.argv[2]))
    atomic_write(KEPT, json.dumps(told, indent=1).encode())
    print("\n".join(table(told)), told["adaptive"], told["limit"], sep="\n")
