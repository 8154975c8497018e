"""`classward contest`: several defenses trained at equal cost, and compared."""

from typing import Annotated, Any, Literal

import torch
import typer

import classward.attacks
import classward.defenses
from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.balls import ball
from classward.core.errors import InputError
from classward.core.methods import make, methods
from classward.data.load import load_data
from classward.defenses.base import Defense
from classward.evaluation.suites import aa_lite, autoattack
from classward.experiments.defense_contest import Contest, defense_contest
from classward.experiments.shelf import PAIRED
from classward.models.load import models
from classward.reporting.page import render
from classward.reporting.summary import text_summary
from classward.training.schedule import Recipe

RECIPE = "recipe."
LITE = {"steps": 20, "target_classes": 3, "queries": 200}


@options.shared
def contest(
    given: options.Common,
    *,
    defense: Annotated[
        list[str],
        typer.Option(
            help="A defense and its options, such as trades:beta=2,recipe.learning_rate=.05, "
            "or all; the others are compared with the first."
        ),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each defense.")] = 3,
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the PGD that judges.")] = 50,
    suite: Annotated[
        Literal["lite", "standard"],
        typer.Option(help="AutoAttack standard, or its attacks with small budgets."),
    ] = "lite",
    suite_samples: Annotated[
        int, typer.Option(min=1, help="Test images that the suite attacks: the first ones.")
    ] = 200,
    train_samples: Annotated[
        str | None, typer.Option(help="Training images: N, or first:N; all by default.")
    ] = None,
    set_: options.Set = None,
) -> int:
    """Train --model with each --defense; `--set` takes recipe.NAME and attack.NAME.

    With --split train the judged --samples are training images that nothing is trained on:
    for choosing options, so that test images are looked at once.
    """
    if given.model not in models():
        raise InputError(f"--model {given.model}: a contest trains a built-in network")
    if given.weights is not None:
        raise InputError("a contest trains from first weights: leave --weights out")
    if given.corrector is not None or given.mean is not None or given.std is not None:
        raise InputError(
            "--corrector, --mean, --std: a contest trains bare networks as they come"
        )
    if given.split == "train" and given.samples is None:
        raise InputError("--split train: give --samples, which are then not trained on")
    radius = options.radius(eps, norm)
    if radius == 0:
        raise InputError("--eps 0: an attack needs room")
    recipe, attack = _by_owner(options.settings(set_))
    judging = given.samples_of("test")
    training = load_data(given.data, split="train", root=given.data_root)
    if given.split == "train":
        others = ~torch.isin(training.ids, judging.ids)
        training = training.select(others.nonzero().flatten())
    if train_samples is not None:
        training = training.take(train_samples)
    within = ball(norm, radius)
    defenses, own = _defenses(defense)
    asked = Contest(
        defenses=defenses,
        recipes={name: Recipe(**recipe | changed) for name, changed in own.items()},
        model=given.model,
        training=training,
        judging=judging,
        attack=make(
            classward.attacks,
            str(attack.pop("name", "pgd")),
            **{"eps": radius, "norm": norm, "step_size": _step(radius, attack)} | attack,
        ),
        recipe=Recipe(**recipe),
        eps=radius,
        norm=norm,
        steps=steps,
        suite=autoattack(within) if suite == "standard" else aa_lite(within, **LITE),
        suite_samples=min(suite_samples, len(judging)),
        seeds=list(range(given.seed, given.seed + seeds)),
        run={name: value for name, value in given.run.items() if name != "seed"},
    )
    folder = given.folder("contest")
    with progress() as tell:
        told = defense_contest(
            asked, folder, resume=given.resume, overwrite=given.overwrite, progress=tell
        )
    render(told, folder / "report.html")
    show(told.to_dict(), text_summary(told), as_json=given.as_json)
    say(f"report: {folder / 'report.html'}")
    return 0


def _step(radius: float, attack: dict[str, Any]) -> float:
    """A quarter of the radius, or more where so few steps would end short of it."""
    steps = attack.get("steps", 10)
    return radius / min(4, steps) if isinstance(steps, int) and steps > 0 else radius / 4


def _defenses(named: list[str]) -> tuple[dict[str, Defense], dict[str, dict[str, Any]]]:
    """The defenses by name, and what they change in the recipe; "all" is each as it comes."""
    if named == ["all"]:
        named = [name for name in methods(classward.defenses) if name != "inter_class"]
        named.sort(key=lambda name: name != "adversarial_training")
    found: dict[str, Defense] = {}
    recipes: dict[str, dict[str, Any]] = {}
    for entry in named:
        name, _, told = entry.partition(":")
        settings = options.settings(_apart(told) if told else None)
        own = {key: settings.pop(key) for key in [*settings] if key.startswith(RECIPE)}
        given: dict[str, Any] = settings
        if name in PAIRED:
            given = {"pairs": "warm_up"} | given
        if entry in found:
            raise InputError(f"--defense {entry}: named twice")
        if f"{RECIPE}epochs" in own:
            raise InputError(f"--defense {entry}: all get the epochs that cost the same")
        label = entry if name in (other.partition(":")[0] for other in found) else name
        found[label] = make(classward.defenses, name, **given)
        if own:
            recipes[label] = {key.removeprefix(RECIPE): value for key, value in own.items()}
    return found, recipes


def _apart(told: str) -> list[str]:
    """Options at the commas between them; those within a list stay.

    >>> _apart("zeta=0.2,pairs=[[3, 9], [1, 8]]")
    ['zeta=0.2', 'pairs=[[3, 9], [1, 8]]']
    """
    parts, depth = [""], 0
    for character in told:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _by_owner(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    owners: dict[str, dict[str, Any]] = {"recipe": {}, "attack": {}}
    for key, value in given.items():
        owner, _, name = key.rpartition(".")
        if owner not in owners:
            raise InputError(
                f"--set {key}: expected recipe.* or attack.*; options of a defense follow its "
                "name, as in trades:beta=2"
            )
        owners[owner][name] = value
    return owners["recipe"], owners["attack"]
