"""`classward analyze`: class-level analysis of a record."""

from pathlib import Path
from typing import Annotated

import typer

from classward.analysis.analyze import analyze as run_analysis
from classward.cli import options
from classward.cli.screen import say, show
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.reporting.page import render
from classward.reporting.summary import text_summary


def analyze(
    run: Annotated[Path, typer.Argument(help="An attack record, or an audit.")],
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Largest difference of a symmetric pair.")
    ] = 0.2,
    permutations: Annotated[int, typer.Option(min=1, help="Draws from the null.")] = 2000,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> int:
    """Print attack matrix, symmetry, pairs, class metrics and significance of a record."""
    record = options.record_of(run)
    analysis = run_analysis(record, tolerance=tolerance, permutations=permutations, seed=seed)
    folder = RunFolder.open(run)
    folder.write("analysis.json", dump(analysis).encode())
    render(analysis, run / "analysis.html")
    show(analysis.to_dict(), text_summary(analysis), as_json=as_json)
    say(f"page: {run / 'analysis.html'}")
    return 0
