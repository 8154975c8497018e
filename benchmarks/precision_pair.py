"""Does training in bfloat16 cost robust accuracy? Two contests, sample by sample.

    classward contest ... --precision exact --out runs/exact
    classward contest ... --precision fast --out runs/fast
    python benchmarks/precision_pair.py runs/exact runs/fast

Both contests train the same first defense with the same seeds; compared is that one.
"""

import argparse
import json
from pathlib import Path

import torch

from classward.experiments.contest_table import lead


def right(folder: Path) -> dict[str, torch.Tensor]:
    """Column -> samples right, a row for each seed of the first defense."""
    files = sorted(folder.glob("defense-1-seed-*.json"))
    kept = [json.loads(file.read_text()) for file in files]
    return {
        column: torch.tensor([flags[column] for flags in kept]).bool() for column in kept[0]
    }


def main() -> None:
    """Print what bfloat16 leads by, column by column."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exact", type=Path)
    parser.add_argument("fast", type=Path)
    asked = parser.parse_args()
    exact, fast = right(asked.exact), right(asked.fast)
    for column, flags in exact.items():
        found = lead(fast[column], flags)
        p = "undefined" if found.p is None else f"{found.p:.2g}"
        print(
            f"{column}: {flags.double().mean():.3f} in float32, bfloat16 "
            f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}], p {p}, "
            f"{flags.shape[1]} samples, {len(flags)} seeds"
        )


if __name__ == "__main__":
    main()
