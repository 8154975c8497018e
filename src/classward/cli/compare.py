"""`classward compare`: runs on the same samples against the first of them."""

from pathlib import Path
from typing import Annotated

import typer

from classward.cli import options
from classward.cli.screen import say, show
from classward.evaluation.compare import compare as run_comparison
from classward.records.run_folder import RunFolder, check_free, next_free
from classward.records.saved import dump
from classward.reporting.page import render
from classward.reporting.summary import text_summary


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Audits or attacks; the first is the reference.")
    ],
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Largest difference of a symmetric pair.")
    ] = 0.2,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> int:
    """Say what changed between runs, sample by sample: accuracy, classes, flows and pairs."""
    if out is not None:
        check_free(out, resume=False, overwrite=overwrite)
    compared = run_comparison(*runs, tolerance=tolerance)
    folder = out or next_free("runs", "compare")
    settings = {"runs": [str(run) for run in runs], "tolerance": tolerance}
    with RunFolder.create(folder, "compare", settings, overwrite=overwrite) as made:
        made.write("result.json", dump(compared).encode())
        render(compared, folder / "report.html")
    show(compared.to_dict(), text_summary(compared), as_json=as_json)
    say(f"page: {folder / 'report.html'}")
    return 0
