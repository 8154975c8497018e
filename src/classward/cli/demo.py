"""`classward demo`: the whole story on the embedded digits."""

from pathlib import Path
from typing import Annotated

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.experiments.demo import demo as run_demo
from classward.records.examples import read_examples
from classward.records.run_folder import RunFolder
from classward.reporting.page import render
from classward.reporting.summary import text_summary


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("demo"),
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> int:
    """Train, attack, analyse, correct and defend on the embedded digits; writes a report."""
    with progress() as tell:
        told = run_demo(seed=seed, out=out, overwrite=overwrite, progress=tell)
    examples = read_examples(RunFolder.open(out / "audit"))
    render(told, out / "report.html", examples=examples)
    show(told.to_dict(), text_summary(told), as_json=as_json)
    for stage, seconds in told.seconds.items():
        say(f"{stage:32} {seconds:6.1f} s")
    say(f"report: {out / 'report.html'}")
    return 0
