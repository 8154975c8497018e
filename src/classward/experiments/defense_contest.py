"""Training defenses at equal cost, over several seeds, judged by ever stronger attacks.

Each network is judged by attacks that climb the cross-entropy alone, as papers often do, and by
a suite that does not: the order of the defenses may differ. What was trained and judged is
kept, so a contest that was stopped goes on.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from classward.attacks.fgsm import FGSM
from classward.attacks.pgd import PGD
from classward.core.balls import Ball, ball
from classward.core.losses import LossName
from classward.core.randomness import SampleRandom
from classward.core.types import Attack
from classward.data.split import Split
from classward.defenses.base import Batch, Defense
from classward.evaluation.request import versions
from classward.evaluation.run_attack import run_attack
from classward.evaluation.run_suite import run_suite
from classward.evaluation.suites import Suite
from classward.experiments.contest_table import Judged, contest_table
from classward.models.load import build
from classward.records.defense_contest_result import DefenseContest
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.training.schedule import Recipe
from classward.training.step import Step
from classward.training.train import train

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What is compared.

    Attributes:
        defenses: By name; the first is what the others are compared with.
        model: A built-in network.
        training: Images to train on.
        judging: Images to judge on.
        attack: Makes the training images of all.
        recipe: How the first is trained; others get as many epochs as cost the same.
        recipes: By name, of those that are trained otherwise.
        eps: Radius of the attacks that judge.
        norm: Their norm.
        steps: Steps of PGD.
        suite: The strongest judge.
        suite_samples: How many of the images it attacks.
        seeds: Seeds of the trainings.
        run: Arguments of every judging attack: batch_size, device, precision. Training is on
            that device; in bfloat16 where the precision is "fast".
    """

    defenses: Mapping[str, Defense]
    model: str
    training: Split
    judging: Split
    attack: Attack
    recipe: Recipe
    eps: float
    norm: Literal["linf", "l2"]
    steps: int
    suite: Suite
    suite_samples: int
    seeds: list[int]
    run: Mapping[str, Any]
    recipes: Mapping[str, Recipe] = field(default_factory=dict)


def defense_contest(
    asked: Contest,
    out: Any,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Tell | None = None,
) -> DefenseContest:
    """Train and judge all; `out` gets the trainings, what each network got right, the result.

    Raises:
        InputError: If the options do not fit each other, or a training diverges.
        SystemFaultError: If memory or disk do not suffice.
    """
    tell = progress or (lambda what, done, total: None)
    costs = {name: passes(defense, asked) for name, defense in asked.defenses.items()}
    first, *_ = costs.values()
    epochs = {
        name: max(1, round(asked.recipe.epochs * first / cost)) for name, cost in costs.items()
    }
    with RunFolder.create(
        out, "defense contest", _settings(asked), resume=resume, overwrite=overwrite
    ) as folder:
        judged: dict[str, list[Judged]] = {name: [] for name in asked.defenses}
        runs = [(name, seed) for seed in asked.seeds for name in asked.defenses]
        for done, (name, seed) in enumerate(runs):
            tell(f"trainings: {name}, seed {seed}", done, len(runs))
            judged[name].append(_judged(asked, name, seed, epochs[name], folder))
        tell("trainings", len(runs), len(runs))
        told = contest_table(
            _told(asked),
            costs,
            epochs,
            judged,
            data=asked.judging.name,
            model=asked.model,
            training_samples=len(asked.training),
            samples=len(asked.judging),
            attack=repr(asked.attack),
            recipe=repr(asked.recipe),
            eps=asked.eps,
            norm=asked.norm,
            suite=f"{asked.suite.name}, {asked.suite_samples} samples",
            seeds=asked.seeds,
            versions=versions(),
        )
        folder.write("result.json", dump(told).encode())
    return told


def passes(defense: Defense, asked: Contest) -> float:
    """What an image costs in a step, in forward passes; counted in one step of the last epoch.

    The first ones may be cheaper, where a defense begins with clean images. A forward pass
    costs 1, the gradient of the image 1 more, that of the weights 2 more.
    """
    defense = deepcopy(defense)
    defense.attack = asked.attack if defense.attack is None else defense.attack
    count = min(asked.recipe.batch_size, len(asked.training))
    network = _untrained(asked, defense).train()
    spent = 0

    def note(layers: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal spent
        back = 0 if not torch.is_grad_enabled() else 2 if layers.training else 1
        spent += (1 + back) * len(given[0])

    network.features.register_forward_pre_hook(note)
    ids = asked.training.ids[:count]
    images = asked.training.batch(torch.arange(count))
    Step(network, defense)(
        Batch(
            images=images,
            labels=asked.training.labels[:count],
            ids=ids,
            adversarial=images,
            epoch=max(1, asked.recipe.epochs - 1),
            step=0,
            rng=SampleRandom(0, "cost", ids),
        )
    )
    return spent / count


def _untrained(asked: Contest, defense: Defense) -> Any:
    channels, size, _ = asked.training.shape
    return build(
        asked.model,
        classes=asked.training.classes,
        channels=channels,
        size=size,
        seed=0,
        head=defense.head,
    )


def _settings(asked: Contest) -> dict[str, Any]:
    return {
        "defenses": _told(asked),
        "model": asked.model,
        "training": f"{asked.training.name}, sha256 {asked.training.digest()}",
        "judging": f"{asked.judging.name}, sha256 {asked.judging.digest()}",
        "attack": repr(asked.attack),
        "recipe": repr(asked.recipe),
        "eps": asked.eps,
        "norm": asked.norm,
        "steps": asked.steps,
        "suite": f"{asked.suite.name}, {asked.suite_samples} samples",
        "seeds": asked.seeds,
    } | dict(asked.run)


def _told(asked: Contest) -> dict[str, str]:
    """Each defense with its options; with its recipe where that is its own."""
    return {
        name: f"{defense!r}, {asked.recipes[name]!r}"
        if name in asked.recipes
        else repr(defense)
        for name, defense in asked.defenses.items()
    }


def _judged(asked: Contest, name: str, seed: int, epochs: int, folder: RunFolder) -> Judged:
    """Which samples the network of one training gets right, by column; read if it is there."""
    stem = f"defense-{[*asked.defenses].index(name) + 1}-seed-{seed}"
    file = f"{stem}.json"
    if not (folder.path / file).exists():
        out = folder.path / stem
        run = train(
            deepcopy(asked.defenses[name]),
            asked.model,
            asked.training,
            attack=asked.attack,
            recipe=replace(asked.recipes.get(name, asked.recipe), epochs=epochs),
            seed=seed,
            device=asked.run["device"],
            precision=asked.run["precision"],
            out=out,
            resume=(out / "manifest.json").exists(),
        )
        found = _columns(asked, run.best, seed)
        within = ball(asked.norm, asked.eps)
        found["last"] = _stands(asked, run.last, _pgd(asked, within), seed)
        right = {column: flags.int().tolist() for column, flags in found.items()}
        folder.write_json(file, right)
    kept = folder.read_json(file)
    labels = asked.judging.labels[asked.judging.ids.argsort()]
    return Judged(
        right={column: torch.tensor(flags).bool() for column, flags in kept.items()},
        labels=labels,
    )


def _columns(asked: Contest, network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Samples right before the attacks, and after each."""
    within = ball(asked.norm, asked.eps)
    few = asked.judging.take(f"first:{asked.suite_samples}")
    clean = run_attack(network, FGSM(ball=within), asked.judging, seed=seed, **asked.run)
    by_suite = run_suite(network, asked.suite, few, seed=seed, **asked.run)
    return {
        "clean": clean.correct,
        "FGSM": clean.robust,
        f"PGD-{asked.steps}": _stands(asked, network, _pgd(asked, within), seed),
        f"margin PGD-{asked.steps}": _stands(
            asked, network, _pgd(asked, within, "margin"), seed
        ),
        "suite": by_suite.robust,
    }


def _pgd(asked: Contest, within: Ball, objective: LossName = "cross_entropy") -> PGD:
    quarter = within.eps / min(4, asked.steps)
    return PGD(ball=within, step_size=quarter, steps=asked.steps, objective=objective)


def _stands(asked: Contest, network: nn.Module, attack: Attack, seed: int) -> Tensor:
    return run_attack(
        network,
        attack,
        asked.judging,
        until="first_success",
        seed=seed,
        **asked.run,
    ).robust
