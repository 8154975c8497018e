"""`classward attack`: one attack, one record."""

from typing import Annotated, Literal

import typer

import classward.attacks
from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core import losses
from classward.evaluation.run_attack import run_attack
from classward.records.record_summary import lines, summary


@options.shared
def attack(
    given: options.Common,
    *,
    name: Annotated[
        str, typer.Option("--attack", help="Name of the attack: `classward list attacks`.")
    ],
    eps: Annotated[str | None, typer.Option(help="Radius, such as 8/255.")] = None,
    norm: options.Norm = "linf",
    set_: options.Set = None,
    loss: Annotated[
        Literal["cross_entropy", "margin"] | None, typer.Option(help="Loss it climbs.")
    ] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Runs, each on the survivors.")] = 1,
    first_success: Annotated[
        bool,
        typer.Option("--first-success", help="Stop a sample once it fell: accuracy alone."),
    ] = False,
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Keep the adversarial images.")
    ] = False,
) -> int:
    """Attack every sample and record logits, predictions and distances."""
    ball = {} if eps is None else {"eps": options.radius(eps, norm), "norm": norm}
    chosen = options.method(classward.attacks, name, set_, **ball)
    data = given.samples_of("test")
    model, folder = given.network(data), given.folder(f"attack-{name}")
    say(f"{chosen} on {given.name}, {len(data)} samples of {data.name}")
    with progress() as tell:
        record = run_attack(
            model,
            chosen,
            data,
            loss=None if loss is None else getattr(losses, loss),
            until="first_success" if first_success else None,
            restarts=restarts,
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            save_images=save_images,
            progress=lambda done, total: tell(name, done, total),
            **given.run,
        )
    show(summary(record), lines(record), as_json=given.as_json)
    say(f"record: {folder}")
    return 0
