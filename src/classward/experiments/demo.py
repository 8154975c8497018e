"""The whole story on the embedded digits, in about a minute on two cores.

A network is trained, attacked, analysed and judged; its attacked logits are corrected, and the
corrector is attacked in turn; two training defenses are compared at equal cost. The settings
are small ones, chosen once; what does not hold at this size is said, not hidden.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from classward.analysis.analyze import analyze
from classward.analysis.paired import difference
from classward.analysis.significance import share
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.types import Attack
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Defense
from classward.defenses.standard import Standard
from classward.defenses.symmetry_aware import SymmetryAware
from classward.evaluation.adaptive import correction_table
from classward.evaluation.audit import audit
from classward.evaluation.audited import worst_case
from classward.evaluation.plan import plan
from classward.evaluation.run_attack import run_attack
from classward.evaluation.transfer import transfer_table
from classward.experiments.findings import findings
from classward.records.defense_result import DefenseRow, DefenseTable
from classward.records.demo_result import Demo
from classward.records.record import Record
from classward.records.result import Share
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.training.schedule import Recipe
from classward.training.train import train

EPS = 0.2  # at 0.1 the attacks leave half of the digits standing: too weak a setting to correct
BATCH = 600  # images at once: the network is tiny
Tell = Callable[[str, int, int], None]

ATTACKS: dict[str, Attack] = {
    "pgd": PGD(ball=Linf(EPS), step_size=EPS / 8, steps=10),
    "mim": MIM(ball=Linf(EPS), step_size=EPS / 10, steps=10),
    "deepfool": DeepFool(steps=30),
    "carlini_wagner": CarliniWagner(steps=25, binary_steps=2, step_size=0.05),
}
TRAINING_ATTACK = PGD(ball=Linf(EPS), step_size=EPS / 4, steps=7)
UNDEFENDED = Recipe(
    epochs=20, batch_size=64, learning_rate=0.05, schedule="one_cycle", validation=0
)
DEFENDED = Recipe(
    epochs=15, batch_size=64, learning_rate=0.05, schedule="one_cycle", validation=0
)
small_corrector = partial(Corrector.small, epochs=100)


def demo(
    *, seed: int = 0, out: str | Path, overwrite: bool = False, progress: Tell | None = None
) -> Demo:
    """Run every stage; `out` gets the audit's records, `result.json` and nothing else.

    Args:
        seed: Seed of everything random.
        out: Folder of the run.
        overwrite: Replace the run in `out`.
        progress: Called with what is being done, how much of it is done, and of how much.
    """
    seconds: dict[str, float] = {}
    tell = progress or (lambda what, done, total: None)
    stage = partial(_stage, seconds, tell)
    with RunFolder.create(out, "demo", {"seed": seed}, overwrite=overwrite) as folder:
        tests, trains = load_data("digits", split="test"), load_data("digits", split="train")
        with stage("train the network"):
            network = train(Standard(), "small_cnn", trains, recipe=UNDEFENDED, seed=seed).last
        with stage("audit it"):
            audited = audit(
                network,
                tests,
                eps=EPS,
                seed=seed,
                batch_size=BATCH,
                model_name="small_cnn, undefended",
                out=folder.path / "audit",
            )
        with stage("four attacks, twice"):
            fitting = _attacked(network, trains, seed)
            judging = _attacked(network, tests, seed)
        with stage("six correctors"):
            correctors, one_layer = _correctors(fitting, seed)
            transfer = transfer_table(correctors, judging)
            linear = _recovered(one_layer, judging["pgd"])
        with stage("adaptive attack on the corrector"):
            correction = correction_table(
                network,
                correctors["pgd"],
                tests,
                judging,
                eps=EPS,
                norm="linf",
                seed=seed,
                batch_size=BATCH,
            )
        with stage("two training defenses"):
            training = _defenses(fitting["pgd"], trains, tests, seed)
        pairs = {
            name: analyze(record, permutations=1).maximum_symmetry_pairs
            for name, record in judging.items()
        }
        told = Demo(
            audit=audited,
            correction=correction,
            transfer=transfer,
            one_layer=linear,
            training=training,
            seconds=seconds,
            findings=findings(audited, correction, transfer, linear, training, pairs),
        )
        folder.write("result.json", dump(told).encode())
    return told


@contextmanager
def _stage(seconds: dict[str, float], tell: Tell, name: str) -> Iterator[None]:
    started = time.perf_counter()
    tell(name, 0, 1)
    yield
    seconds[name] = round(time.perf_counter() - started, 2)
    tell(name, 1, 1)


def _attacked(network: nn.Module, data: Split, seed: int) -> dict[str, Record]:
    return {
        name: run_attack(network, attack, data, seed=seed, batch_size=BATCH)
        for name, attack in ATTACKS.items()
    }


def _correctors(
    records: dict[str, Record], seed: int
) -> tuple[dict[str, Corrector], Corrector]:
    """One for each attack, one for all of them, and the linear one of the paper's ablation."""
    fitted = {
        name: small_corrector(seed=seed).fit_records([record])
        for name, record in records.items()
    }
    fitted["union"] = small_corrector(seed=seed).fit_records(list(records.values()))
    return fitted, small_corrector(layers=1, seed=seed).fit_records([records["pgd"]])


def _recovered(corrector: Corrector, record: Record) -> Share:
    """Accuracy on attacked logits, of samples that were right before."""
    said = torch.as_tensor(corrector.predict(record.adversarial_logits.numpy()))
    right = (said == record.labels)[record.correct]
    return share(int(right.sum()), len(right))


def _defenses(attacked: Record, trains: Split, tests: Split, seed: int) -> DefenseTable:
    """Adversarial training and the symmetry-aware loss: same images, attack, steps and seed."""
    pairs = analyze(attacked, permutations=1).maximum_symmetry_pairs
    methods: dict[str, Defense] = {
        "adversarial_training": AdversarialTraining(),
        "symmetry_aware": SymmetryAware(pairs=pairs),
    }
    rows, judged = [], []
    for name, defense in methods.items():
        started = time.perf_counter()
        run = train(
            defense, "small_cnn", trains, attack=TRAINING_ATTACK, recipe=DEFENDED, seed=seed
        )
        taken = time.perf_counter() - started
        columns = _columns(run.last, tests, seed)
        accuracy = {key: share(int(kept.sum()), len(kept)) for key, kept in columns.items()}
        options = "" if name != "symmetry_aware" else f"pairs={pairs}, zeta=0.1, alpha=2"
        rows.append(DefenseRow(defense=name, options=options, accuracy=accuracy, seconds=taken))
        judged.append(columns)
    return DefenseTable(
        defenses=rows,
        training={
            "data": trains.name,
            "images": len(trains),
            "model": "small_cnn",
            "attack": repr(TRAINING_ATTACK),
            "epochs": DEFENDED.epochs,
            "seed": seed,
            "test_images": len(tests),
        },
        difference={key: _paired(judged[-1][key], judged[0][key]) for key in judged[0]},
    )


def _columns(network: nn.Module, tests: Split, seed: int) -> dict[str, Tensor]:
    """Samples right before the attacks, under each, and under all."""
    records = {
        name: run_attack(
            network,
            entry.attack,
            tests,
            loss=entry.loss,
            until=entry.until,
            seed=seed,
            batch_size=BATCH,
        )
        for name, entry in plan(EPS, "linf", model=network).items()
    }
    clean = {"clean": records["pgd"].correct}
    under = {name: records[name].robust for name in plan(EPS, "linf")}
    return clean | under | {"worst case": worst_case(records)}


def _paired(ours: Tensor, theirs: Tensor) -> tuple[float, float, float]:
    """Difference of two accuracies on the same samples, with its 95 % interval."""
    found = difference(theirs, ours)
    assert found.difference is not None
    assert found.low is not None
    assert found.high is not None
    return found.difference, found.low, found.high
