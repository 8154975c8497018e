"""`classward train`: train a network with a defense."""

from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import classward.attacks
import classward.defenses
from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.core.methods import make, methods
from classward.core.symmetric_pairs import symmetric_pairs
from classward.core.types import Attack, Pair
from classward.defenses.base import Defense
from classward.models.network import Layout
from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit
from classward.records.run_folder import RunFolder
from classward.records.saved import load
from classward.training.board import board
from classward.training.recipes import recipe as named_recipe
from classward.training.train import TrainingRun
from classward.training.train import train as run_training

OWNERS = ("defense", "inter_class", "recipe", "attack", "model")
Owned = dict[str, dict[str, Any]]  # whose options: "defense", "inter_class", ... -> options


@options.shared
def train(
    given: options.Common,
    *,
    defense: Annotated[
        str, typer.Option(help="Name of the defense: `classward list defenses`.")
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(help="Audit or analysis of the training split, for its class pairs."),
    ] = None,
    all_pairs: Annotated[
        bool,
        typer.Option("--all-pairs", help="All symmetric pairs of --pairs, not mutual ones."),
    ] = False,
    recipe: Annotated[
        str, typer.Option(help="Schedule of a paper, such as trades; recipe.NAME changes it.")
    ] = "default",
    patience: options.Patience = 600.0,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files to the run folder too.")
    ] = False,
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    set_: options.Set = None,
) -> int:
    """Train --model on --data; `--set` takes defense options, recipe.NAME and attack.NAME.

    `--set model.width=0.25` makes a built-in model narrower, and `--set inter_class.NAME`,
    such as inter_class.alpha=2, adds the inter-class term to any defense.
    """
    asked = _by_owner(options.settings(set_))
    radius = options.radius(eps, norm)
    attack = _attack(asked["attack"], radius, norm)
    if all_pairs and pairs is None:
        raise InputError("--all-pairs needs --pairs, an audit of the training split")
    chosen = _defense(
        defense, asked, None if pairs is None else pairs_of(pairs, every=all_pairs)
    )
    schedule = named_recipe(recipe, **asked["recipe"])
    data = given.samples_of("train")
    folder = given.folder(f"train-{defense}")
    of = f"{defense} of {given.model} on {len(data)} images of {data.name}"
    say(f"{of}: {schedule}, {attack}")
    told = board(folder) if tensorboard else None
    with progress() as tell:
        run = run_training(
            chosen,
            given.model if given.weights is None else given.network(data),
            data,
            layout=_layout(asked["model"], given),
            attack=attack,
            recipe=schedule,
            seed=given.seed,
            device=given.device,
            precision=given.precision,
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            patience=patience,
            progress=lambda done, total: tell("steps", done, total),
            told=told,
        )
    _show(run, given, folder)
    return 0


def _layout(asked: dict[str, Any], given: options.Common) -> Layout:
    """What is asked of a model that is made here; `given.network` takes the rest itself."""
    if unknown := sorted(asked.keys() - {"width"}):
        raise InputError(f"--set model.{unknown[0]}: of a model, width can be set")
    layout: Layout = {}
    if "width" in asked:
        if type(asked["width"]) not in (int, float):
            raise InputError(f"--set model.width={asked['width']}: expected a number")
        layout["width"] = float(asked["width"])
    if given.weights is None and given.mean is not None:
        layout["mean"] = options.numbers(given.mean, "--mean")
    if given.weights is None and given.std is not None:
        layout["std"] = options.numbers(given.std, "--std")
    return layout


def _attack(asked: dict[str, Any], radius: float, norm: str) -> Attack:
    """The training attack; steps are a quarter of the radius where it has steps."""
    name = str(asked.pop("name", "pgd"))
    known = methods(classward.attacks)
    stepping = name in known and "step_size" in signature(known[name]).parameters
    usual = {"step_size": radius / 4} if stepping else {}
    return make(classward.attacks, name, **{"eps": radius, "norm": norm, **usual, **asked})


def _show(run: TrainingRun, given: options.Common, folder: Path) -> None:
    found = {"history": run.history, "best_epoch": run.best_epoch, "path": str(folder)}
    show(found | run.accuracies(), _in_words(run), as_json=given.as_json)
    say(f"weights: {folder}; audit them with --model {given.model} --weights {folder}")


def _in_words(run: TrainingRun) -> str:
    """Best and last epoch side by side, and what the difference is."""
    found = run.accuracies()
    epochs = {"best": run.best_epoch, "last": len(run.history)}
    lines = [
        f"{which} (epoch {epochs[which]}): "
        + ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in row.items())
        for which, row in found.items()
        if row
    ]
    if "robust_accuracy" in found["last"]:
        lost = found["best"]["robust_accuracy"] - found["last"]["robust_accuracy"]
        lines.append(f"robust overfitting, best minus last: {100 * lost:.1f} points")
    collapsed = [row["epoch"] for row in run.history if "collapsed" in row]
    lines += [f"collapsed in epoch {epoch}" for epoch in collapsed]
    return "\n".join(lines) or f"{len(run.history)} epochs, no images held out"


def pairs_of(run: Path, *, every: bool = False) -> list[Pair]:
    """Maximum symmetry pairs of a saved audit or analysis of the training split.

    Args:
        run: The audit or analysis.
        every: All symmetric pairs instead (Def. 1 of the symmetry paper), at its tolerance.
    """
    folder = RunFolder.open(run)
    name = "result.json" if folder.kind == "audit" else "analysis.json"
    if not (run / name).exists():
        raise InputError(f"{run}: no pairs in it yet; `classward analyze {run}` finds them")
    if folder.settings.get("data", "").endswith("test"):
        raise InputError(f"{run}: attacked the test split; pairs come from --split train")
    saved = load((run / name).read_bytes(), str(run / name))
    assert isinstance(saved, Audit | Analysis)
    if not every:
        return list(saved.maximum_symmetry_pairs)
    if any(None in row for row in saved.attack_matrix):
        raise InputError(f"{run}: has classes without samples, so not all pairs are known")
    chosen = symmetric_pairs(torch.tensor(saved.attack_matrix), saved.tolerance)
    return [(i, j) for i, j in chosen.nonzero().tolist()]


def _defense(name: str, asked: Owned, pairs: list[Pair] | None) -> Defense:
    """The defense, with the inter-class term beside it where one of its options is set."""
    if name == "inter_class":
        raise InputError(
            "inter_class joins another: --defense trades --set inter_class.alpha=2"
        )
    joined = asked["inter_class"]
    if not joined:
        return _made(name, asked["defense"], pairs)
    own = _made(name, asked["defense"], pairs if name == "symmetry_aware" else None)
    return _made("inter_class", joined | {"defense": own}, pairs)


def _made(name: str, given: dict[str, Any], pairs: list[Pair] | None) -> Defense:
    if pairs is not None:
        given = given | {"pairs": pairs}
    elif name in ("symmetry_aware", "inter_class") and "pairs" not in given:
        raise InputError(f"{name} needs --pairs, an audit of the training split")
    return make(classward.defenses, name, **given)


def _by_owner(given: dict[str, Any]) -> Owned:
    owners: Owned = {name: {} for name in OWNERS}
    for key, value in given.items():
        owner, dot, name = key.partition(".")
        if not dot:
            owner, name = "defense", key
        if owner not in owners:
            raise InputError(
                f"--set {key}: expected a defense's option, {'.*, '.join(OWNERS[1:])}.*"
            )
        owners[owner][name] = value
    return owners
