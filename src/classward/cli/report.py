"""`classward report`: the page of a saved result."""

from pathlib import Path
from typing import Annotated

import typer

from classward.cli.options import check_file
from classward.cli.screen import say
from classward.core.errors import InputError
from classward.records.examples import read_examples
from classward.records.run_folder import RunFolder
from classward.records.saved import load
from classward.records.table_file import write_table
from classward.reporting.page import render


def report(
    run: Annotated[Path, typer.Argument(help="A run folder that holds a result.")],
    out: Annotated[Path | None, typer.Option(help="Page; RUN/report.html by default.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the rows as well, to a .csv or .parquet.")
    ] = None,
) -> int:
    """Render the result of a run as one HTML page that opens offline."""
    folder = RunFolder.open(run)
    page = out or run / "report.html"
    for file in (page, table):
        if file is not None:
            check_file(file, overwrite=True)
    for name in ("result.json", "analysis.json"):
        if (run / name).exists():
            saved = load((run / name).read_bytes(), str(run / name))
            break
    else:
        raise InputError(f"{run}: holds no result yet; `classward analyze {run}` makes one")
    if table is not None:
        write_table(saved, table)
        say(f"table: {table}")
    render(saved, page, examples=read_examples(folder))
    say(f"report: {page}")
    return 0
