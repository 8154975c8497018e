"""How much faster two processes of one thread fill a record than one does.

The same attack, on the same images, alone and by two processes that join; in turn, five times.
Starting Python and reading the model is not counted: each process tells when it begins to
attack and when it has the record, and what counts is from the last beginning to the last end.
The fastest of the five rounds is taken of each, since neighbours only slow things down.

    python benchmarks/processes.py [--rounds 5]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from classward.evaluation.request import versions

RESULTS = Path(__file__).parent / "results"
SAMPLES = 2048


def main() -> None:
    """Time both in turn, print, and keep the result."""
    asked = _arguments()
    if asked.part is not None:
        print(json.dumps(_part(*asked.part)))
        return
    seconds: dict[int, list[float]] = {1: [], 2: []}
    loads = []
    for turn in range(asked.rounds):
        for count in (1, 2):
            loads.append(os.getloadavg()[0])
            seconds[count].append(_together(count))
        print(f"round {turn + 1}: {seconds[1][-1]:.2f} s, {seconds[2][-1]:.2f} s", flush=True)
    best = {count: min(of) for count, of in seconds.items()}
    result = {
        "what": f"PGD-20 on {SAMPLES} images of 3 x 32 x 32, small_cnn, one thread a process",
        "seconds": {"one": seconds[1], "two": seconds[2]},
        "ratio": round(best[1] / best[2], 3),
        "load": [round(load, 2) for load in loads],
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "processes.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def _together(count: int) -> float:
    """Seconds from the moment all are ready to the moment all have the record."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--part", folder, str(count)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        parts = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            for _ in range(count)
        ]
        told = [json.loads(part.communicate()[0]) for part in parts]
    return max(end for _, end in told) - max(begin for begin, _ in told)


def _part(folder: str, count: str) -> tuple[float, float]:
    """When this process began and when it had the record."""
    import torch

    from classward.attacks.pgd import PGD
    from classward.core.balls import Linf
    from classward.data.split import Split
    from classward.evaluation.run_attack import run_attack
    from classward.models.load import load_model

    torch.set_num_threads(1)
    images = torch.rand(SAMPLES, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    data = Split(images, torch.arange(SAMPLES) % 10)
    model = load_model("small_cnn", classes=10, channels=3, size=32, seed=0)
    attack = PGD(ball=Linf(8 / 255), step_size=2 / 255, steps=20)
    run_attack(model, attack, data.take("first:64"))  # to warm up
    ready = Path(folder) / f"ready-{os.getpid()}"
    ready.touch()
    while len([*Path(folder).glob("ready-*")]) < int(count):
        time.sleep(0.001)
    begun = time.time()
    run_attack(model, attack, data, out=Path(folder) / "run", join=True)
    return begun, time.time()


if __name__ == "__main__":
    main()
