"""`classward correct study`: every table of the logits paper for one network."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.experiments.correction_study import Study, correction_study, paper_attacks
from classward.models.load import models
from classward.reporting.page import render
from classward.reporting.summary import text_summary


@options.shared
def study(
    given: options.Common,
    *,
    train_samples: Annotated[
        str | None,
        typer.Option(
            help="Training images to attack: N, equally many of each class, or first:N."
        ),
    ] = None,
    eps: options.Eps = "16/255",
    preset: Annotated[
        Literal["paper", "small"],
        typer.Option(help="paper presupposes a million samples, small a few thousand."),
    ] = "small",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="An option of the correctors, key=value, or ATTACK.key=value."
        ),
    ] = None,
    transfer_to: Annotated[
        list[str] | None,
        typer.Option(help="Another network, MODEL=WEIGHTS, to transfer correctors to."),
    ] = None,
    adaptive_samples: Annotated[
        int, typer.Option(min=1, help="Test images to attack adaptively.")
    ] = 100,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the adaptive attacks.")] = 50,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Vary layers, neurons, p and training samples.")
    ] = False,
) -> int:
    """Attack, fit correctors and make every table; without weights, train as in the demo."""
    if given.corrector is not None:
        raise InputError("study fits its own correctors: leave --corrector out")
    if given.split == "train":
        raise InputError("--split train: correctors are fitted on that part, judge on another")
    untrained = given.weights is None and given.model in models()
    if untrained and (given.mean is not None or given.std is not None):
        raise InputError("--mean, --std: a network that is trained here is given none")
    radius = options.radius(eps, "linf")
    if radius == 0:
        raise InputError("--eps 0: an attack needs room")
    changed = _by_attack(set_, list(paper_attacks(radius)))
    made = Corrector.small if preset == "small" else Corrector
    corrector = made(**{"seed": given.seed, "device": given.device} | changed.pop(""))
    attacks = paper_attacks(radius, changed)
    judging, training = given.samples_of("test"), _training(given)
    fitting = training if train_samples is None else training.take(train_samples)
    network, others = given.network(judging), _others(given, transfer_to or [], judging)
    asked = Study(
        name=given.name,
        model=given.model if untrained else network,
        others=others,
        training=training,
        fitting=fitting,
        judging=judging,
        attacks=attacks,
        eps=radius,
        corrector=corrector,
        adaptive_samples=adaptive_samples,
        steps=steps,
        ablations=ablations,
        run=given.run,
    )
    folder = given.folder("study")
    with progress() as tell:
        told = correction_study(
            asked, folder, resume=given.resume, overwrite=given.overwrite, progress=tell
        )
    render(told, folder / "report.html")
    show(told.to_dict(), text_summary(told), as_json=given.as_json)
    say(f"report: {folder / 'report.html'}")
    return 0


def _training(given: options.Common) -> Split:
    return load_data(given.data, split="train", root=given.data_root)


def _others(given: options.Common, named: list[str], data: Split) -> dict[str, Any]:
    """The networks of `--transfer-to` by the names they are shown under."""
    found: dict[str, Any] = {}
    for entry in named:
        model, _, weights = entry.partition("=")
        name = f"{model} ({Path(weights).name})" if weights else model
        if name in found or name == given.name:
            raise InputError(f"--transfer-to {entry}: another network is called {name} too")
        found[name] = given.surrogate(entry, data, "--transfer-to")
    return found


def _by_attack(pairs: list[str] | None, attacks: list[str]) -> dict[str, dict[str, Any]]:
    """The options of `--set` by the attack they are of; those of the correctors under ""."""
    owners: dict[str, dict[str, Any]] = {name: {} for name in ["", *attacks]}
    for key, value in options.settings(pairs).items():
        owner, _, name = key.rpartition(".")
        if owner not in owners:
            raise InputError(f"--set {key}: '{owner}' is none of {', '.join(attacks)}")
        owners[owner][name] = value
    return owners
