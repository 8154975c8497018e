"""The tables of a study of logits correction, each from records and fitted correctors.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Tables 1 to 3 and Sec. 5.2.
Readings: selected are the samples that the first network gets right, for other networks too
(Sec. 4.2); logits of another network are standardised by one mean and one deviation of its
clean training logits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from classward.core.types import Logits
from classward.correction.corrector import Corrector
from classward.data.split import Split
from classward.evaluation.adaptive import correction_table
from classward.evaluation.explain import explain
from classward.evaluation.transfer import (
    corrected_right,
    damaged,
    recovered,
    share_of,
    standardised,
)
from classward.experiments.correction_ablations import part_of
from classward.experiments.kept_corrector import kept_corrector
from classward.records.atomic import sha256
from classward.records.correction_result import CorrectionTable
from classward.records.correction_study_result import (
    Accuracies,
    Foreign,
    NetworkTransfer,
    OwnAttack,
)
from classward.records.explanation_result import Explanation
from classward.records.record import Record
from classward.records.run_folder import RunFolder

UNION = "all_four"  # the corrector of every attack
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """A network with its attack records and its correctors.

    Attributes:
        name: Name of the network.
        network: The classifier.
        fitting: Attack -> its record on training images.
        judging: Attack -> its record on test images.
        correctors: Each attack, and all of them -> the corrector fitted on that.
    """

    name: str
    network: nn.Module
    fitting: Mapping[str, Record]
    judging: Mapping[str, Record]
    correctors: Mapping[str, Corrector]


def fitted_on(records: Mapping[str, Record]) -> dict[str, dict[str, Record]]:
    """Corrector -> the records that it is of: each attack's, and all of them."""
    return {name: {name: record} for name, record in records.items()} | {UNION: {**records}}


def own_attacks(subject: Attacked, selected: Int64[Tensor, " m"]) -> list[OwnAttack]:
    """Each corrector on the attacks that it was fitted on (Tables 1 and 2)."""
    return [
        OwnAttack(
            network=subject.name,
            corrector=name,
            attack=attack,
            full=_accuracies(corrector, record, torch.ones_like(record.correct)),
            selected=_accuracies(corrector, record, torch.isin(record.ids, selected)),
            recovered=recovered(corrector, record),
            damaged=damaged(corrector, record),
        )
        for name, corrector in subject.correctors.items()
        for attack, record in fitted_on(subject.judging)[name].items()
    ]


def between_networks(
    main: Attacked, other: Attacked, selected: Int64[Tensor, " m"]
) -> list[NetworkTransfer]:
    """Each corrector of the main network on the same attack on another network."""
    rows = []
    for attack, record in other.judging.items():
        kept = torch.isin(record.ids, selected)
        judged = partial(
            _foreign,
            labels=record.labels[kept],
            ours=main.correctors[attack],
            theirs=other.correctors[attack],
            spread=(other.fitting[attack].clean_logits, main.fitting[attack].clean_logits),
        )
        rows.append(
            NetworkTransfer(
                network=other.name,
                attack=attack,
                clean=judged(record.clean_logits[kept]),
                attacked=judged(record.adversarial_logits[kept]),
            )
        )
    return rows


def explained(
    subject: Attacked, corrector: Corrector, folder: Path, tell: Tell
) -> dict[str, Explanation]:
    """What each corrector listens to under its own attacks, beside one of another seed."""
    told, seed = {}, corrector.seed
    for name, records in fitted_on(subject.fitting).items():
        second = kept_corrector(
            folder / f"{name}-second.safetensors",
            corrector,
            [*records.values()],
            changed={"seed": seed + 1},
            progress=partial(tell, f"fit {name}, another seed"),
        )
        judging = fitted_on(subject.judging)[name]
        told[name] = explain(subject.correctors[name], judging, second=second, seed=seed)
    return told


def three_columns(
    subject: Attacked,
    data: Split,
    folder: RunFolder,
    *,
    eps: float,
    steps: int,
    tell: Tell,
    **run: Any,
) -> dict[str, CorrectionTable]:
    """No defense, gray-box and adaptive, of each corrector on the images in `data`.

    A table that is there is taken if it is of the same corrector file.
    """
    tables = {}
    for name, records in fitted_on(subject.judging).items():
        file, of = f"adaptive-{name}.json", sha256(folder.path / f"{name}.safetensors")
        kept = folder.read_json(file) if (folder.path / file).exists() else {}
        if kept.get("corrector") != of:
            table = correction_table(
                subject.network,
                subject.correctors[name],
                data,
                {attack: _among(record, data.ids) for attack, record in records.items()},
                eps=eps,
                norm="linf",
                steps=steps,
                progress=partial(tell, f"adaptive on {name}"),
                **run,
            )
            kept = {"corrector": of, "table": table.to_dict()}
            folder.write_json(file, kept)
        tables[name] = CorrectionTable.from_dict(kept["table"])
    return tables


def _among(record: Record, ids: Int64[Tensor, " m"]) -> Record:
    return part_of(record, torch.isin(record.ids, ids).nonzero().flatten())


def _accuracies(corrector: Corrector, record: Record, kept: Bool[Tensor, " n"]) -> Accuracies:
    clean = corrected_right(corrector, record.clean_logits, record.labels)
    attacked = corrected_right(corrector, record.adversarial_logits, record.labels)
    return Accuracies(
        clean=share_of(record.correct[kept]),
        clean_corrected=share_of(clean[kept]),
        attacked=share_of((record.predictions == record.labels)[kept]),
        attacked_corrected=share_of(attacked[kept]),
    )


def _foreign(
    logits: Logits,
    *,
    labels: Tensor,
    ours: Corrector,
    theirs: Corrector,
    spread: tuple[Tensor, Tensor],
) -> Foreign:
    """Of one network's logits; `spread` are clean ones of that network, and of the main one."""
    return Foreign(
        bare=share_of(logits.argmax(dim=1) == labels),
        own=share_of(corrected_right(theirs, logits, labels)),
        raw=share_of(corrected_right(ours, logits, labels)),
        standardised=share_of(corrected_right(ours, standardised(logits, *spread), labels)),
    )
