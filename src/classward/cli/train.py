"""`classward train`: train a network with a defense."""

from pathlib import Path
from typing import Annotated, Any

import typer

import classward.attacks
import classward.defenses
from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.core.methods import make
from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit
from classward.records.run_folder import RunFolder
from classward.records.saved import load
from classward.training.schedule import Recipe
from classward.training.train import train as run_training


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
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    set_: options.Set = None,
) -> int:
    """Train --model on --data; `--set` takes defense options, recipe.NAME and attack.NAME."""
    asked = _by_owner(options.settings(set_))
    radius = options.radius(eps, norm)
    attack = make(
        classward.attacks,
        str(asked["attack"].pop("name", "pgd")),
        **{"eps": radius, "norm": norm, "step_size": radius / 4} | asked["attack"],
    )
    if pairs is not None:
        asked["defense"]["pairs"] = pairs_of(pairs)
    elif defense == "symmetry_aware" and "pairs" not in asked["defense"]:
        raise InputError("symmetry_aware needs --pairs, an audit of the training split")
    chosen = make(classward.defenses, defense, **asked["defense"])
    recipe = Recipe(**asked["recipe"])
    data = given.samples_of("train")
    folder = given.folder(f"train-{defense}")
    say(f"{defense} of {given.model} on {len(data)} images of {data.name}: {recipe}, {attack}")
    with progress() as tell:
        run = run_training(
            chosen,
            given.model if given.weights is None else given.network(data),
            data,
            attack=attack,
            recipe=recipe,
            seed=given.seed,
            device=given.device,
            precision="bf16-mixed" if given.precision == "fast" else "32-true",
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            progress=lambda done, total: tell("steps", done, total),
        )
    last = run.history[-1] if run.history else {}
    text = "\n".join(f"{key}: {value}" for key, value in last.items())
    show({"history": run.history, "path": str(folder)}, text, as_json=given.as_json)
    say(f"weights: {folder}; audit them with --model {given.model} --weights {folder}")
    return 0


def pairs_of(run: Path) -> list[tuple[int, int]]:
    """Maximum symmetry pairs of a saved audit or analysis of the training split."""
    folder = RunFolder.open(run)
    name = "result.json" if folder.kind == "audit" else "analysis.json"
    if not (run / name).exists():
        raise InputError(f"{run}: no pairs in it yet; `classward analyze {run}` finds them")
    if folder.settings.get("data", "").endswith("test"):
        raise InputError(f"{run}: attacked the test split; pairs come from --split train")
    saved = load((run / name).read_bytes(), str(run / name))
    assert isinstance(saved, Audit | Analysis)
    return list(saved.maximum_symmetry_pairs)


def _by_owner(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    owners: dict[str, dict[str, Any]] = {"defense": {}, "recipe": {}, "attack": {}}
    for key, value in given.items():
        owner, dot, name = key.partition(".")
        if not dot:
            owner, name = "defense", key
        if owner not in owners:
            raise InputError(f"--set {key}: expected a defense's option, recipe.* or attack.*")
        owners[owner][name] = value
    return owners
