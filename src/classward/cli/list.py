"""`classward list`: names of what there is."""

from typing import Annotated, Literal

import typer

import classward.attacks
import classward.defenses
from classward.cli import options
from classward.cli.screen import show
from classward.core.methods import methods
from classward.data.load import data_names
from classward.models.load import models


def list(
    what: Annotated[Literal["attacks", "defenses", "models", "data"], typer.Argument()],
    as_json: options.AsJson = False,
) -> int:
    """List attacks, defenses, models or data sets, with what each is."""
    if what in ("attacks", "defenses"):
        package = classward.attacks if what == "attacks" else classward.defenses
        rows = {name: _first_line(cls) for name, cls in methods(package).items()}
    else:
        rows = dict.fromkeys(models() if what == "models" else data_names(), "")
    width = max(map(len, rows))
    text = "\n".join(f"{name:{width}}  {about}".rstrip() for name, about in rows.items())
    show(rows, text, as_json=as_json)
    return 0


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
