"""Does a pair-aware training help under strong attacks? docs/pair_aware_training.md.

    python results/questions/pair_aware_training.py OUT

Reads what `pair_aware_training.sh report` left in OUT, where the protocol is said too: of each
data set the seeds of which every defense was trained and judged.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from classward.evaluation.request import versions
from classward.experiments.contest_table import lead, over_seeds
from classward.records.atomic import atomic_write
from classward.records.run_folder import RunFolder

KEPT = Path(__file__).with_suffix(".json")
DATA = ("digits", "fashion_mnist", "cifar10")
OURS = "margin_separation"
COLUMNS = ("clean", "PGD-50", "suite")


def of_contest(run: Path) -> dict[str, Any] | None:
    """Accuracies of every defense, and how far OURS leads it; None while no seed is done."""
    folder = RunFolder.open(run)
    names = [*folder.settings["defenses"]]
    judged = {
        name: {
            seed: folder.read_json(file.name)
            for seed in folder.settings["seeds"]
            if (file := run / f"defense-{number}-seed-{seed}.json").exists()
        }
        for number, name in enumerate(names, 1)
    }
    seeds = sorted(set.intersection(*(set(of) for of in judged.values())))
    if not seeds:
        return None
    right = {
        name: {
            column: torch.tensor([of[seed][column] for seed in seeds]).bool()
            for column in COLUMNS
        }
        for name, of in judged.items()
    }
    ours = right[OURS]["suite"]
    return {
        "seeds": seeds,
        "samples": ours.shape[1],
        "settings": {
            name: folder.settings[name] for name in ("model", "eps", "attack", "recipe")
        },
        "defenses": {
            name: {
                "options": folder.settings["defenses"][name],
                "accuracy": {column: over_seeds([*of[column]]).to_dict() for column in COLUMNS},
                "lead": None if name == OURS else lead(ours, of["suite"]).to_dict(),
            }
            for name, of in right.items()
        },
    }


def table(kept: Mapping[str, Any]) -> list[str]:
    """The rows of the page, in percent; leads in points, paired by image over the seeds."""
    lines = [["data", "defense", "clean", "PGD-50", "AutoAttack", f"lead of {OURS}", "p"]]
    lines.append(["---"] * len(lines[0]))
    for data, contest in kept["contests"].items():
        for name, row in contest["defenses"].items():
            shares = [f"{100 * row['accuracy'][column]['mean']:.1f}" for column in COLUMNS]
            lines.append([data, name.replace("margin_separation:", "… "), *shares])
            if (found := row["lead"]) is None:
                lines[-1] += ["", ""]
                continue
            points = [f"{100 * found[end]:+.1f}" for end in ("difference", "low", "high")]
            p = "" if found["p"] is None else f"{found['p']:.2g}"
            lines[-1] += [f"{points[0]} ({points[1]} to {points[2]})", p]
    return ["| " + " | ".join(line) + " |" for line in lines]


if __name__ == "__main__":
    runs = {data: Path(sys.argv[1]) / f"report-{data}" for data in DATA}
    found = {data: of_contest(run) for data, run in runs.items() if run.exists()}
    contests = {data: contest for data, contest in found.items() if contest is not None}
    told = {"versions": versions(), "contests": contests}
    atomic_write(KEPT, json.dumps(told, indent=1).encode())
    print("\n".join(table(told)))
