"""`classward reproduce`: the papers' tables and figures, run again."""

from pathlib import Path
from typing import Annotated

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.experiments.claims import decide
from classward.experiments.paper_table import (
    EVERY,
    PaperTable,
    Scale,
    named_tables,
    paper_tables,
    read_table,
)
from classward.experiments.reproduce import kept_result, outside
from classward.experiments.reproduce import reproduce as run_again
from classward.experiments.shelf import Shelf
from classward.records.atomic import atomic_write
from classward.records.claims_result import Claims
from classward.records.reproduction_result import Reproduction
from classward.records.result import Result
from classward.records.run_folder import RunFolder
from classward.records.saved import dump, load
from classward.reporting.page import render
from classward.reporting.papers import claims_page
from classward.reporting.summary import text_summary

CLAIMS = "claims"


def reproduce(
    names: Annotated[
        list[str],
        typer.Argument(help="symmetry/table2, logits, claims, all, or FILE.toml; or several."),
    ],
    scale: Annotated[
        Scale,
        typer.Option(help="small: minutes on two cores; paper: the printed setting, on a GPU."),
    ] = "small",
    data_root: options.DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder shared by all tables; runs/reproduce-SCALE by default."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure anew what has a result already.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Results of an earlier run; exit 1 where ours leave their intervals."
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    precision: options.PrecisionName = "fast",
    batch_size: options.BatchSize = 128,
    as_json: options.AsJson = False,
) -> int:
    """Run tables and figures of the papers again; what was begun in --out goes on.

    Tables share trained networks and attack records, which stay in --out. `claims` decides
    what the papers claim from the results in --out.
    """
    options.checked_device(device)
    chosen = [name for given in names if given != CLAIMS for name in named_tables(given)]
    tables = [read_table(name, scale) for name in dict.fromkeys(chosen)]
    folder = out or Path(f"runs/reproduce-{scale}")
    run = {"batch_size": batch_size, "device": device, "precision": precision}
    asked = {"scale": scale, "seed": seed} | run
    found: list[Result] = []
    left = 0
    with RunFolder.create(folder, "reproduction", asked, resume=True), progress() as tell:
        shelf = Shelf(
            path=folder, scale=scale, data_root=data_root, seed=seed, run=run, tell=tell
        )
        for number, table in enumerate(tables, start=1):
            kept = None if again else _kept(folder, table.name)
            say(f"{number} of {len(tables)}: {table.name}{', kept' if kept else _cost(table)}")
            told = kept or run_again(table, shelf)
            page = kept_result(folder, table.name).with_suffix(".html")
            render(told, page)
            found.append(told)
            if not as_json:
                show(told.to_dict(), text_summary(told), as_json=False)
            say(f"report: {page}")
            if against is not None:
                left += _outside(told, against)
        if CLAIMS in names or EVERY in names:
            found.append(_claims(folder, scale, as_json=as_json))
    if as_json:
        show([told.to_dict() for told in found], "", as_json=True)
    return 1 if left else 0


def _cost(table: PaperTable) -> str:
    """What it will take at most, where that is known."""
    if table.minutes is None:
        return ""
    return f", at most about {table.minutes:g} minutes on two cores, less what is kept"


def _outside(told: Reproduction, against: Path) -> int:
    """How many numbers lie outside the earlier intervals; each is said."""
    file = against / f"{told.name.removesuffix('.toml')}.json"
    if not file.is_file():
        raise InputError(f"--against {against}: has no {told.name}")
    kept = load(file.read_text(), str(file))
    if not isinstance(kept, Reproduction):
        raise InputError(f"{file}: not the result of a reproduction")
    found, asked = outside(told, kept)
    for line in found:
        say(f"outside: {line}")
    say(f"{told.name}: {asked - len(found)} of {asked} numbers within the kept intervals")
    return len(found)


def _claims(folder: Path, scale: Scale, *, as_json: bool) -> Claims:
    """Decide all claims from the results in the folder, and write them there."""
    every = {name: told for name in paper_tables() if (told := _kept(folder, name))}
    told = decide(every, scale)
    atomic_write(folder / "claims.json", dump(told).encode())
    atomic_write(folder / "claims.md", claims_page(told).encode())
    if not as_json:
        show(told.to_dict(), text_summary(told), as_json=False)
    say(f"claims: {folder / 'claims.md'}")
    return told


def _kept(folder: Path, name: str) -> Reproduction | None:
    """The result of an earlier call, if there is one."""
    file = kept_result(folder, name)
    if not file.is_file():
        return None
    told = load(file.read_text(), str(file))
    if not isinstance(told, Reproduction):
        raise InputError(f"{file}: not the result of a reproduction")
    return told
