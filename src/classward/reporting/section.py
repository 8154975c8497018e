"""A table of a page under its title."""

from dataclasses import dataclass

from classward.records.result import Share

Cell = str | Share | tuple[str, str]  # of two, the second stands below in small print
Table = list[list[Cell]]  # the head first


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of the page under its title.

    Attributes:
        title: What it answers.
        note: How to read it.
        table: Its lines, the head first.
        texts: How many columns at the left are words.
    """

    title: str
    note: str
    table: Table
    texts: int = 1
