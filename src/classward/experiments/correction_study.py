"""Every table of the logits paper for one classifier: `classward correct study`.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Tables 1 to 3 and Sec. 5.2; the adaptive column and the ablations go beyond it.
Attack records, correctors and adaptive columns are kept, so a study that was stopped goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

import classward.attacks
from classward.core.methods import make
from classward.core.types import Attack
from classward.correction.corrector import Corrector
from classward.data.split import Split
from classward.defenses.standard import Standard
from classward.evaluation.detection import detection_table
from classward.evaluation.judge import model_digest
from classward.evaluation.run_attack import run_attack
from classward.evaluation.transfer import transfer_table
from classward.experiments.correction_ablations import ablations
from classward.experiments.correction_tables import (
    Attacked,
    between_networks,
    explained,
    fitted_on,
    own_attacks,
    three_columns,
)
from classward.experiments.demo import UNDEFENDED
from classward.experiments.kept_corrector import kept_corrector
from classward.experiments.support_overlap import support_overlap
from classward.records.correction_study_result import CorrectionStudy
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.training.train import train

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is studied.

    Attributes:
        name: Name of the classifier.
        model: The classifier, or the name of a built-in one that is to be trained.
        others: Name -> another network, to which correctors are to transfer.
        training: Images to train on, if that is to be done.
        fitting: Images to attack for the correctors.
        judging: Images to judge them on.
        attacks: The attacks; see `paper_attacks`.
        eps: Radius of those that have one, and of the adaptive ones.
        corrector: Whose options count.
        adaptive_samples: How many images are attacked adaptively.
        steps: Steps of the adaptive attacks.
        ablations: Whether correctors are varied.
        run: Arguments of every attack: seed, batch_size, device, precision.
    """

    name: str
    model: nn.Module | str
    others: Mapping[str, nn.Module]
    training: Split
    fitting: Split
    judging: Split
    attacks: Mapping[str, Attack]
    eps: float
    corrector: Corrector
    adaptive_samples: int
    steps: int
    ablations: bool
    run: Mapping[str, Any]


def paper_attacks(
    eps: float, changed: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Attack]:
    """PGD, MIM, DeepFool and C&W as in Sec. 4.1 of the paper, with other options if given.

    Raises:
        InputError: If an option is unfit.
    """
    ball = {"eps": eps, "norm": "linf"}
    defaults: dict[str, dict[str, Any]] = {
        "pgd": ball | {"step_size": eps / 8, "steps": 10},
        "mim": ball | {"steps": 10},
        "deepfool": {},
        "carlini_wagner": {},
    }
    other = changed or {}
    return {
        name: make(classward.attacks, name, **options | dict(other.get(name, {})))
        for name, options in defaults.items()
    }


def correction_study(
    asked: Study,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Tell | None = None,
) -> CorrectionStudy:
    """Attack, fit and judge; `out` gets records, correctors and `result.json`.

    Args:
        asked: What is studied.
        out: Folder of the study.
        resume: Go on with the study in `out`.
        overwrite: Replace the run in `out`.
        progress: Called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: If networks, data and options do not fit each other, or a fit diverges.
        SystemFaultError: If memory or disk do not suffice.
    """
    tell = progress or (lambda what, done, total: None)
    with RunFolder.create(
        out, "correction study", _settings(asked), resume=resume, overwrite=overwrite
    ) as folder:
        main = _attacked(
            asked, asked.name, _network(asked, folder.path, tell), folder.path, tell
        )
        others = [
            _attacked(asked, name, network, folder.path / f"network-{number}", tell)
            for number, (name, network) in enumerate(asked.others.items(), start=2)
        ]
        told = _told(asked, main, others, folder, tell)
        folder.write("result.json", dump(told).encode())
    return told


def _settings(asked: Study) -> dict[str, Any]:
    model = asked.model
    return {
        "model": f"{model}, trained" if isinstance(model, str) else model_digest(model),
        "others": {name: model_digest(network) for name, network in asked.others.items()},
        "fitting": f"{asked.fitting.name}, sha256 {asked.fitting.digest()}",
        "judging": f"{asked.judging.name}, sha256 {asked.judging.digest()}",
        "attacks": {name: repr(attack) for name, attack in asked.attacks.items()},
        "eps": asked.eps,
        "corrector": asked.corrector.get_params(),
        "adaptive_samples": asked.adaptive_samples,
        "steps": asked.steps,
        "ablations": asked.ablations,
        **asked.run,
    }


def _network(asked: Study, folder: Path, tell: Tell) -> nn.Module:
    """The classifier; where only a name is given, trained as in the demo."""
    if not isinstance(asked.model, str):
        return asked.model
    return train(
        Standard(),
        asked.model,
        asked.training,
        recipe=UNDEFENDED,
        seed=asked.run["seed"],
        device=asked.run["device"],
        out=folder / "network",
        resume=True,
        progress=partial(tell, "train the network"),
    ).last


def _attacked(
    asked: Study, name: str, network: nn.Module, folder: Path, tell: Tell
) -> Attacked:
    """Every attack on both parts, and a corrector of each and of all."""
    records: dict[str, dict[str, Record]] = {"train": {}, "test": {}}
    where = "" if name == asked.name else f", {folder.name}"
    for part, data in (("train", asked.fitting), ("test", asked.judging)):
        for attack, how in asked.attacks.items():
            records[part][attack] = run_attack(
                network,
                how,
                data,
                out=folder / f"{part}-{attack}",
                resume=True,
                progress=partial(tell, f"{part}-{attack}{where}"),
                **asked.run,
            )
    correctors = {
        corrector: kept_corrector(
            folder / f"{corrector}.safetensors",
            asked.corrector,
            [*given.values()],
            progress=partial(tell, f"fit {corrector}{where}"),
        )
        for corrector, given in fitted_on(records["train"]).items()
    }
    return Attacked(
        name=name,
        network=network,
        fitting=records["train"],
        judging=records["test"],
        correctors=correctors,
    )


def _told(
    asked: Study, main: Attacked, others: list[Attacked], folder: RunFolder, tell: Tell
) -> CorrectionStudy:
    first, *_ = main.judging.values()
    selected, varied = first.ids[first.correct], None
    transfer = transfer_table(main.correctors, main.judging)
    explanations = explained(main, asked.corrector, folder.path, tell)
    if asked.ablations:
        fitting, judging = main.fitting["pgd"], main.judging["pgd"]
        varied = ablations(folder.path, "pgd", asked.corrector, fitting, judging, tell)
    columns = partial(three_columns, eps=asked.eps, steps=asked.steps, tell=tell, **asked.run)
    return CorrectionStudy(
        model=asked.name,
        data=asked.judging.name,
        samples=len(asked.judging),
        training_samples=len(asked.fitting),
        eps=asked.eps,
        norm="linf",
        seed=asked.run["seed"],
        attacks={name: repr(attack) for name, attack in asked.attacks.items()},
        corrector=repr(asked.corrector),
        own=[row for network in (main, *others) for row in own_attacks(network, selected)],
        transfer=transfer,
        transfer_full=transfer_table(main.correctors, main.judging, every=True),
        networks=[row for other in others for row in between_networks(main, other, selected)],
        supporting=support_overlap(
            {name: explanations[name] for name in main.judging}, transfer
        ),
        explanations=explanations,
        detection=detection_table(main.fitting, main.judging),
        ablations=varied,
        # The last, for it moves correctors to the device.
        adaptive=columns(main, _first(asked.judging, asked.adaptive_samples), folder),
    )


def _first(data: Split, samples: int) -> Split:
    return data.take(f"first:{min(samples, len(data))}")
