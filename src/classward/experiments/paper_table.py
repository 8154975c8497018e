"""A table or figure of a paper as a file: what is printed, what measures it, at what scale."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import classward
from classward.core.errors import InputError

Scale = Literal["small", "medium", "paper"]
PAPERS = Path(classward.__file__).parent / "papers"
HEAD = ("paper", "label", "title", "section", "setting", "unit", "measure")
EVERY = "all"


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """One file at one scale.

    Attributes:
        name: "symmetry/table1", or the file.
        paper: "symmetry" or "logits".
        label: What the paper calls it.
        title: What it shows.
        section: Where it stands.
        setting: What the paper used.
        unit: Of the printed numbers: "percent", "share", "coefficient" or "text".
        columns: Names of the printed columns.
        printed: Row -> an entry for each column; "" where nothing is printed.
        measure: What measures it: a file of `experiments.measures`.
        scale: At which scale.
        differs: What that scale has in place of the paper's setting.
        asked: Arguments of the measure: those of all scales under those of this one.
        minutes: What it took on two cores, with nothing kept; undefined where it was not timed.
        groups: Groups of its own, beside those of `groups.toml`.
    """

    name: str
    paper: Literal["symmetry", "logits"]
    label: str
    title: str
    section: str
    setting: str
    unit: str
    columns: list[str]
    printed: Mapping[str, list[float | str]]
    measure: str
    scale: Scale
    differs: list[str] = field(default_factory=list)
    asked: Mapping[str, Any] = field(default_factory=dict)
    minutes: float | None = None
    groups: Mapping[str, Any] = field(default_factory=dict)


def paper_tables() -> list[str]:
    """Names of all files, the symmetry paper's first.

    >>> paper_tables()[0].partition("/")[0], "logits/table3" in paper_tables()
    ('symmetry', True)
    """
    found = [(paper, file) for paper in ("symmetry", "logits") for file in _files(paper)]
    return [f"{paper}/{file.stem}" for paper, file in found]


def named_tables(name: str) -> list[str]:
    """The tables of a name: itself, those of a paper, or all.

    Raises:
        InputError: If there are none.
    """
    known = paper_tables()
    if name == EVERY:
        return known
    if of_paper := [table for table in known if table.startswith(f"{name}/")]:
        return of_paper
    if name in known or name.endswith(".toml"):
        return [name]
    raise InputError(
        f"no table '{name}'; there are {', '.join(known)}, a paper's name, all, or FILE.toml"
    )


def read_table(name: str, scale: Scale) -> PaperTable:
    """Read a file of the package, or one by its path.

    Raises:
        InputError: If there is no such file, a key is missing or unknown, or it does not have
            the scale.
    """
    path = Path(name) if name.endswith(".toml") else PAPERS / f"{name}.toml"
    told = _read(path)
    if missing := [key for key in (*HEAD, "columns", "printed", "scale") if key not in told]:
        raise InputError(f"{path.name}: lacks '{missing[0]}'")
    known = {*HEAD, "columns", "printed", "scale", "asked"}
    if unknown := sorted(told.keys() - known):
        raise InputError(f"{path.name}: unknown key '{unknown[0]}'")
    if scale not in told["scale"]:
        has = ", ".join(scale for scale in get_args(Scale) if scale in told["scale"])
        raise InputError(f"{name} has no scale {scale}, it has {has}")
    try:
        return _table(name, scale, told)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:100]
        raise InputError(f"{path.name}: a value is of another kind ({said})") from None


def _table(name: str, scale: Scale, told: dict[str, Any]) -> PaperTable:
    asked = _over(told.get("asked", {}), told["scale"][scale])
    number = str if told["unit"] == "text" else float  # the number of a class is a name
    return PaperTable(
        **{key: told[key] for key in (*HEAD, "columns")},
        printed={
            row: [entry if isinstance(entry, str) else number(entry) for entry in entries]
            for row, entries in told["printed"].items()
        },
        name=name,
        scale=scale,
        differs=asked.pop("differs", []),
        minutes=None if (timed := asked.pop("minutes", None)) is None else float(timed),
        groups=asked.pop("groups", {}),
        asked=asked,
    )


def _files(paper: str) -> list[Path]:
    return sorted((PAPERS / paper).glob("*.toml"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file ({error})") from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables in one; where both have a table of a name, again so."""
    both = dict(below)
    for key, value in above.items():
        joins = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        both[key] = _over(below[key], value) if joins else value
    return both
