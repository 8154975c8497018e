"""What a corrector's fit needs on a record that is larger than one would want in memory.

A process of its own opens a record of made-up logits on the disk and fits the paper's
corrector, ten hidden neurons for each class, for one epoch. Kept are the most memory it ever
held, how long opening took (each file is read once for its digest), and what reading the drawn
rows cost. Before the first row is drawn the files are dropped from the system's cache: each row
comes from the disk once.

    python benchmarks/records_scale.py [--rows 200000] [--classes 1000] [--folder FOLDER]
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

import torch

from classward.correction.corrector import Corrector
from classward.evaluation.request import versions
from classward.records.record import Record
from classward.records.result import GradientCounts, Passes
from classward.records.rows import Rows
from classward.records.run_folder import RunFolder
from classward.records.shards import SHARD, shards_of, write_shard

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Write the record, fit on it in a fresh process, print, and keep the result."""
    asked = _arguments()
    if asked.fit is not None:
        print(json.dumps(_fit(asked.fit)))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        record = Path(folder) / "record"
        _write(record, asked.rows, asked.classes)
        size = sum(path.stat().st_size for path in record.iterdir())
        print(f"record: {asked.rows} x {asked.classes}, {size / 1e9:.2f} GB", flush=True)
        command = [sys.executable, __file__, "--fit", str(record)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = {
        "what": "Corrector(epochs=1) fitted from a record on the disk, in a process of its own",
        "rows": asked.rows,
        "classes": asked.classes,
        "bytes_on_disk": size,
        **json.loads(told),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "versions": versions(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "records_scale.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where the record is for the time being")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write(path: Path, samples: int, classes: int) -> None:
    """A record whose attack moves logits to the next class; shard by shard."""
    names = [str(k) for k in range(classes)]
    settings = {"samples": samples, "class_names": names, "attack": "made up", "until": None}
    counts = {
        "passes": Passes(forward=0, backward=0),
        "gradients": GradientCounts(taken=0, zero=0, not_finite=0),
    }
    generator = torch.Generator().manual_seed(0)
    with RunFolder.create(path, "attack", settings) as folder:
        for index, shard in enumerate(shards_of(samples, SHARD)):
            ids = torch.tensor(shard)
            write_shard(folder, index, _columns(ids, classes, generator), counts)


def _columns(
    ids: torch.Tensor, classes: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    labels = ids % classes
    clean = torch.randn(len(ids), classes, generator=generator)
    clean[torch.arange(len(ids)), labels] += 8
    zeros = torch.zeros(len(ids))
    return {
        "ids": ids,
        "labels": labels,
        "clean_predictions": clean.argmax(1),
        "predictions": (labels + 1) % classes,
        "success": torch.ones(len(ids), dtype=torch.bool),
        "failed": torch.zeros(len(ids), dtype=torch.bool),
        "first_success": torch.full((len(ids),), -1),
        "clean_logits": clean,
        "adversarial_logits": clean.roll(1, dims=1),
        "linf": zeros,
        "l2": zeros,
        "queries": zeros.long(),
    }


def _fit(path: Path) -> dict[str, float]:
    started = time.perf_counter()
    record = Record.open(path)
    opened = time.perf_counter()
    reading = _timed_reading(path)
    Corrector(epochs=1, device="cpu").fit_records([record])
    fitted = time.perf_counter()
    return {
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "open_seconds": round(opened - started, 2),
        "fit_seconds": round(fitted - opened, 2),
        "rows_read": reading["rows"],
        "rows_read_per_second": round(reading["rows"] / reading["seconds"]),
        "share_of_fit_reading": round(reading["seconds"] / (fitted - opened), 4),
    }


def _drop_from_cache(path: Path) -> None:
    for file in path.glob("*.npy"):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _timed_reading(path: Path) -> dict[str, float]:
    """Counts and times every row that is drawn from now on, the first ones from the disk."""
    spent, take = {"rows": 0, "seconds": 0.0}, Rows.take

    def timed(self: Rows, index: torch.Tensor) -> torch.Tensor:
        if not spent["rows"]:
            _drop_from_cache(path)
        started = time.perf_counter()
        rows = take(self, index)
        spent["seconds"] += time.perf_counter() - started
        spent["rows"] += len(index)
        return rows

    Rows.take = timed
    return spent


if __name__ == "__main__":
    main()
