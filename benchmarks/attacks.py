"""Attacks beside their peers and beside the bare passes of the network, at equal strength.

Each contender runs once in each round, in one process on one thread; ratios of CPU time are
taken within a round, and their medians over nine rounds are kept with bounds of 90 %. A peer
that is not installed is left out.

    python benchmarks/attacks.py [--only TEXT] [--rounds 9] [--autoattack FOLDER]
    python benchmarks/attacks.py --device cuda --samples 512 --out results/gpu.json
"""

import argparse
import json
import os
import platform
import time
from itertools import chain
from pathlib import Path

import autoattack_rows
import black_box
import fits
import gradient_attacks
import minimal_attacks
import torch
from attacks_page import PAGE, page
from measure import measured
from networks import subjects

from classward.evaluation.request import versions

RESULTS = Path(__file__).parent / "results" / "attacks.json"


def main() -> None:
    """Measure what was asked, print it, and keep it beside what was measured before."""
    asked = _arguments()
    torch.set_num_threads(1)
    networks = subjects(asked.samples, asked.device)
    clock = time.process_time if asked.device == "cpu" else _on_gpu
    rows = chain(
        gradient_attacks.rows(networks),
        minimal_attacks.rows(networks),
        autoattack_rows.rows(networks, asked.autoattack),
        black_box.rows(networks),
        fits.rows(),
    )
    kept = json.loads(asked.out.read_text())["rows"] if asked.out.exists() else {}
    for row in rows:
        if asked.only not in row.name:
            continue
        kept[row.name] = {
            **measured(row, asked.rounds, print, clock),
            "samples": asked.samples,
            "load": os.getloadavg()[0],
        }
        print(json.dumps(kept[row.name], indent=2), flush=True)
        result = {
            "threads": 1,
            "cpu": _cpu(),
            "device": asked.device,
            "versions": versions(),
            "rows": kept,
        }
        asked.out.write_text(json.dumps(result, indent=2) + "\n")
        if asked.out == RESULTS:
            PAGE.write_text(page(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--device", default="cpu", help="or cuda; give it --out of its own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--autoattack", help="folder of the original package")
    return parser.parse_args()


def _on_gpu() -> float:
    """Wall seconds, once all that was asked of the GPU is done."""
    torch.cuda.synchronize()
    return time.perf_counter()


def _cpu() -> str:
    known = torch.cpu.get_capabilities()
    wide = [name for name in ("amx_bf16", "avx512_bf16", "avx512_f", "avx2") if known.get(name)]
    return f"{platform.machine()}, {known.get('cpu_name', 'unknown')}, {', '.join(wide)}"


if __name__ == "__main__":
    main()
