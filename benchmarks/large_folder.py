"""What memory an attack on a folder of pictures takes, as the folder grows tenfold.

The pictures are generated: a thousand different ones, each linked often, 32 pixels wide. The
command runs in a process of its own, which reads them batch by batch; the model is one linear
layer, so that reading is what there is to see.

    python benchmarks/large_folder.py [--pictures 100000] [--folder FOLDER]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from classward.evaluation.request import versions

RESULTS = Path(__file__).parent / "results"
CLASSES, DIFFERENT = 10, 1000
MODEL = """
from torch import nn

def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval()
"""


def main() -> None:
    """Attack a tenth of the pictures and all of them, print, and keep the result."""
    asked = _arguments()
    if asked.run is not None:
        print(json.dumps(_attack(asked.run)))
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for pictures in (asked.pictures // 10, asked.pictures):
            where = Path(folder) / str(pictures)
            _generate(where, pictures)
            command = [sys.executable, __file__, "--run", str(where)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({"pictures": pictures} | json.loads(told.splitlines()[-1]))
            print(rows[-1], flush=True)
    result = {
        "what": "classward attack --attack fgsm on a folder of 32 x 32 PNG, one layer",
        "rows": rows,
        "load": os.getloadavg()[0],
        "versions": versions(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "large_folder.json").write_text(json.dumps(result, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the pictures are for the time being")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _generate(folder: Path, pictures: int) -> None:
    random = np.random.default_rng(0)
    made = []
    for number in range(pictures):
        file = folder / "data" / f"class-{number % CLASSES}" / f"{number:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number < DIFFERENT:
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
            made.append(file)
        else:
            os.link(made[number % DIFFERENT], file)


def _attack(folder: Path) -> dict[str, float]:
    from classward.cli.main import run

    (folder / "linear.py").write_text(MODEL)
    begun = time.monotonic()
    code = run(
        [
            *("attack", "--model", f"{folder}/linear.py:model", "--data", str(folder / "data")),
            *("--attack", "fgsm", "--eps", "8/255", "--out", str(folder / "run")),
        ]
    )
    assert code == 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mib": round(peak), "seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    main()
