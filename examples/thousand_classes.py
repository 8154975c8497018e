"""The logits paper at 1,000 classes: EfficientNet-Lite0 on photographs of Tiny ImageNet.

    python examples/thousand_classes.py --data FOLDER --out runs/thousand [--divide 10]

FOLDER holds tiny_imagenet.zip, imagenet_sample_224.zip, which names all the classes, and
models/imagenet_efficientnet_lite0.safetensors. The photographs have 64 pixels a side and are
enlarged to 128; of the thousand classes 200 occur. What was made is kept, so a stopped run goes
on. `--divide 10` takes a tenth of the images.
"""

import argparse
import json
import zipfile
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite import efficientnet_lite0
from torch import Tensor, nn
from torch.nn import functional as F

import classward
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.detection import detection_table
from classward.evaluation.run_attack import run_attack
from classward.records.record import Record
from classward.records.saved import dump
from classward.reporting.page import render
from classward.reporting.summary import text_summary

SIDE, EPS = 128, 16 / 255
# attack, and how many images of the training and of the test part; "right" ones alone
PLAN: dict[str, tuple[Any, int, int, bool]] = {
    "PGD": (PGD(ball=Linf(EPS), step_size=EPS / 8, steps=10), 8000, 2000, False),
    "MIM": (MIM(ball=Linf(EPS), steps=10), 2000, 1000, False),
    "DeepFool": (DeepFool(), 400, 200, True),
    "C&W": (CarliniWagner(), 400, 200, True),
}
# The paper's, 10,000 neurons and 50 epochs at 5e-5, presuppose a million images.
SETTINGS = {"scale": 10.0, "hidden": 2000, "learning_rate": 1e-3, "epochs": 30}


class Enlarged:
    """Images of a split, made larger batch by batch."""

    def __init__(self, split: Split, side: int) -> None:
        self.split, self.side = split, side

    def __len__(self) -> int:
        return len(self.split)

    def batch(self, positions: Tensor) -> Tensor:
        """The images at these positions, in [0, 1]."""
        images = self.split.batch(positions)
        return F.interpolate(images, size=self.side, mode="bicubic").clamp(0, 1)


def photographs(part: str, root: Path) -> Split:
    """A part of Tiny ImageNet with the labels that the thousand classes have."""
    known = _classes(root / "imagenet_sample_224.zip")
    place = {number: label for label, (number, _) in enumerate(known)}
    few = [place[number] for number, _ in _classes(root / "tiny_imagenet.zip")]
    small = load_data("tiny_imagenet", split=part, root=root)
    order = torch.randperm(len(small), generator=torch.Generator().manual_seed(0))
    small = small.select(order)  # published class by class
    labels = torch.tensor(few)[small.labels]
    return Split(Enlarged(small, SIDE), labels, [name for _, name in known], ids=small.ids)


def _classes(archive: Path) -> list[list[str]]:
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read("classes.json"))


def make_records(
    model: nn.Module, parts: dict[str, Split], out: Path, divide: int
) -> dict[str, dict[str, Record]]:
    """Records of the four attacks by part and name; PGD's says which images are right."""
    made: dict[str, dict[str, Record]] = {part: {} for part in parts}
    for name, (attack, *counts, right) in PLAN.items():
        for (part, data), count in zip(parts.items(), counts, strict=True):
            count //= divide
            chosen = torch.arange(count)
            if right:
                pgd = made[part]["PGD"]
                among = torch.isin(data.ids, pgd.ids[pgd.correct])
                chosen = among.nonzero().flatten()[:count]
            folder = out / f"{part}-{name.replace('&', 'n').lower()}"
            print(f"{name}, {part}: {len(chosen)} images", flush=True)
            made[part][name] = run_attack(
                model,
                attack,
                data.select(chosen),
                batch_size=64,
                out=folder,
                resume=(folder / "manifest.json").exists(),
            )
    return made


def fitted(records: dict[str, Record], out: Path) -> dict[str, Corrector]:
    """A corrector of each attack, one of all, of fewer images, and of another seed."""
    pgd = records["PGD"]
    parts = {name: [record] for name, record in records.items()}
    parts |= {"all four": list(records.values()), "another seed": [pgd]}
    for share in (8, 4, 2):
        parts[f"PGD, {len(pgd) // share} images"] = [first(pgd, len(pgd) // share)]
    made = {}
    for number, (name, chosen) in enumerate(parts.items()):
        file = out / f"corrector-{number}.safetensors"
        if not file.exists():
            print(f"corrector: {name}", flush=True)
            corrector = Corrector(**SETTINGS, seed=int(name == "another seed"))
            corrector.fit_records(chosen).save(file)
        made[name] = Corrector.load(file)
    return made


def first(record: Record, count: int) -> Record:
    """The first rows of a record."""
    return Record.from_arrays(
        labels=record.labels[:count],
        clean_logits=record.clean_logits[:count],
        adversarial_logits=record.adversarial_logits[:count],
        class_names=record.class_names,
    )


def main() -> None:
    """Attack, fit, and write one page for each question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--divide", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    weights = asked.data / "models/imagenet_efficientnet_lite0.safetensors"
    model = efficientnet_lite0(str(weights))
    parts = {part: photographs(part, asked.data) for part in ("train", "test")}
    records = make_records(model, parts, asked.out, asked.divide)
    correctors = fitted(records["train"], asked.out)
    second = correctors.pop("another seed")
    test = records["test"]
    right = torch.isin(parts["test"].ids, test["PGD"].ids[test["PGD"].correct])
    few = parts["test"].select(right.nonzero().flatten()[:64])
    results = {
        "transfer": classward.transfer_table(correctors, test),
        "explanation": classward.explain(correctors["PGD"], test, second=second),
        "detection": detection_table(records["train"], test),
        "adaptive": classward.correction_table(
            model,
            correctors["PGD"],
            few,
            {"PGD": run_attack(model, PLAN["PGD"][0], few, batch_size=64)},
            eps=EPS,
            norm="linf",
            steps=20,
        ),
    }
    for name, result in results.items():
        (asked.out / f"{name}.json").write_text(dump(result))
        print(f"\n{name}\n{text_summary(result)}", flush=True)
    for name in ("explanation", "detection", "adaptive"):
        render(results[name], asked.out / f"{name}.html")


if __name__ == "__main__":
    main()
