"""What a corrector owes to its layers, its neurons, the clean logits it sees and its samples.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.3 (one layer instead of two); the other ablations go beyond it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from classward.analysis.paired import difference
from classward.correction.corrector import Corrector
from classward.evaluation.transfer import corrected_right, share_of
from classward.experiments.kept_corrector import kept_corrector
from classward.records.correction_study_result import Ablation, Ablations
from classward.records.record import Record

NEURONS = (16, 64, 256)
CLEAN_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
PARTS = (8, 4, 2, 1)  # of the training samples, one in so many
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change to a corrector.

    Attributes:
        group: What is varied.
        name: To what.
        file: Name of its file.
        options: Options that differ.
        part: It is fitted on one in so many samples.
    """

    group: str
    name: str
    file: str
    options: dict[str, Any] = field(default_factory=dict)
    part: int = 1


def variants(corrector: Corrector, classes: int) -> list[Variant]:
    """Every change to a corrector of so many classes; one of each group is no change."""
    default = corrector.hidden or 10 * classes
    widths = {**{width: width for width in NEURONS}, default: corrector.hidden}
    layers, shares, sizes = "layers and neurons", "share of clean logits", "training samples"
    return [
        Variant(group=layers, name="1 layer", file="layers-1", options={"layers": 1}),
        *(
            Variant(
                group=layers,
                name=f"2 layers, {width} neurons",
                file=f"neurons-{width}",
                options={"layers": 2, "hidden": hidden},
            )
            for width, hidden in sorted(widths.items())
        ),
        Variant(
            group=layers,
            name=f"3 layers, {default} neurons each",
            file="layers-3",
            options={"layers": 3},
        ),
        *(
            Variant(group=shares, name=f"p = {p:g}", file=f"p-{p:g}", options={"p": p})
            for p in CLEAN_SHARES
        ),
        *(
            Variant(
                group=sizes,
                name="all" if part == 1 else f"1 in {part}",
                file=f"one-in-{part}",
                part=part,
            )
            for part in PARTS
        ),
    ]


def ablations(
    folder: Path,
    name: str,
    corrector: Corrector,
    fitting: Record,
    judging: Record,
    tell: Tell,
) -> Ablations:
    """Fit every variant on one attack, and judge it on samples that were right before it.

    Args:
        folder: Where the correctors are kept, the unchanged one as `NAME.safetensors`.
        name: Name of the attack.
        corrector: Whose options are varied.
        fitting: The attack on training images.
        judging: The attack on test images.
        tell: Called with what is being fitted, the epochs done and all of them.

    Raises:
        InputError: If a record is unfit, or a fit diverges.
    """
    rows, under_attack = [], {}
    for variant in variants(corrector, fitting.classes):
        some = part_of(fitting, _drawn(len(fitting), variant.part))
        unchanged = (
            variant.part == 1 and variant.options.items() <= corrector.get_params().items()
        )
        file = name if unchanged else f"{name}-{variant.file}"
        fitted = kept_corrector(
            folder / f"{file}.safetensors",
            corrector,
            [some],
            changed=variant.options,
            progress=lambda done, total, file=file: tell(f"fit {file}", done, total),
        )
        clean, attacked = _right(fitted, judging)
        under_attack[variant.file] = attacked
        rows.append(
            Ablation(
                group=variant.group,
                name=variant.name,
                training_samples=len(some),
                clean=share_of(clean),
                attacked=share_of(attacked),
            )
        )
    two = f"neurons-{corrector.hidden or 10 * fitting.classes}"
    return Ablations(
        attack=name,
        variants=rows,
        second_layer=difference(under_attack["layers-1"], under_attack[two]),
    )


def part_of(record: Record, rows: Int64[Tensor, " m"]) -> Record:
    """The samples of a record at these rows, in their order; how far they went is left out."""
    kept = Record.from_arrays(
        labels=record.labels[rows],
        clean_logits=record.clean_logits[rows],
        adversarial_logits=record.adversarial_logits[rows],
        class_names=record.class_names,
        settings=record.settings,
    )
    return replace(kept, ids=record.ids[rows])


def _drawn(samples: int, part: int) -> Int64[Tensor, " m"]:
    """One in `part` rows, at random; what a smaller part has, a larger one has too."""
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(0))
    return order[: max(1, samples // part)].sort().values


def _right(
    corrector: Corrector, record: Record
) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Which selected samples are right, clean and attacked."""
    clean = corrected_right(corrector, record.clean_logits, record.labels)
    attacked = corrected_right(corrector, record.adversarial_logits, record.labels)
    return clean[record.correct], attacked[record.correct]
