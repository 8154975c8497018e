"""`classward judge`: adversarial images that were made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.balls import ball
from classward.evaluation.given_images import judge_images, read_images
from classward.records.record_summary import lines, summary


@options.shared
def judge(
    given: options.Common,
    *,
    file: Annotated[
        Path,
        typer.Option(
            "--images",
            help="An .npz (images, and ids if not in order), an .npy, or a folder of ID.png.",
        ),
    ],
    eps: Annotated[
        str | None, typer.Option(help="Radius they must keep, such as 8/255; else any.")
    ] = None,
    norm: options.Norm = "linf",
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Keep the images, and judge them in 8 bits.")
    ] = False,
) -> int:
    """Record what the model says of adversarial images that were made elsewhere."""
    given.in_float32("judge")
    within = None if eps is None else ball(norm, options.radius(eps, norm))
    data = given.samples_of("test")
    model, folder = given.network(data), given.folder("judge")
    images, ids = read_images(file)
    say(f"{file} on {given.name}, {len(data)} samples of {data.name}")
    with progress() as tell:
        record = judge_images(
            model,
            data,
            images,
            ball=within,
            ids=ids,
            source=str(file),
            batch_size=given.batch_size,
            device=given.device,
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            save_images=save_images,
            progress=lambda done, total: tell("judge", done, total),
        )
    show(summary(record), lines(record), as_json=given.as_json)
    say(f"record: {folder}")
    return 0
