"""The references of a page as BibTeX, made of the same lines in the method files."""

import re
import unicodedata

PREPRINT = re.compile(r"arXiv:((\d\d)\d\d\.\d{4,5})")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
PLACE = re.compile(r"^(?:arXiv:|Eqs?\.|Secs?\.|Algs?\.|Algorithm |Table |Figs?\.|Def\.)")
STOP = {"a", "an", "the", "are", "on", "is", "towards"}


def bibtex(references: dict[str, list[str]]) -> str:
    """One entry for each paper of `references`, in its order.

    Most files name the first author alone, which ends in "and others" here; accents stay as
    they are (UTF-8).

    >>> print(bibtex({'Doe et al., "A Title"': ["pgd: ICLR 2018, arXiv:1706.06083, Eq. 1."]}))
    @misc{doe2018title,
      author = {Doe and others},
      title = {{A Title}},
      year = {2018},
      eprint = {1706.06083},
      archiveprefix = {arXiv},
      note = {ICLR 2018},
    }
    """
    taken: dict[str, int] = {}
    return "\n\n".join(_entry(work, places, taken) for work, places in references.items())


def _entry(work: str, places: list[str], taken: dict[str, int]) -> str:
    authors, _, title = work.partition(', "')
    title = title.removesuffix('"')
    where = places[0].partition(": ")[2]
    venue = where.partition(",")[0].rstrip(".")
    preprint = PREPRINT.match(where.removeprefix(venue).lstrip(", ")) or PREPRINT.match(where)
    printed = None if PLACE.match(venue) or not YEAR.search(venue) else venue
    year = YEAR.search(printed or "")
    when = year[0] if year else f"20{preprint[2]}" if preprint else None
    fields = {
        "author": _authors(authors),
        "title": f"{{{title}}}",
        "year": when,
        "eprint": preprint[1] if preprint else None,
        "archiveprefix": "arXiv" if preprint else None,
        "note": printed,
    }
    lines = [f"  {name} = {{{_tex(value)}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{_key(authors, when, title, taken)},", *lines, "}"])


def _authors(names: str) -> str:
    return names.replace(" et al.", " and others").replace(", ", " and ")


def _key(authors: str, year: str | None, title: str, taken: dict[str, int]) -> str:
    """First author, year and first word of weight; a letter where two are alike."""
    first = re.split(r"[ ,]", authors)[0]
    words = [word for word in re.findall(r"\w+", title.lower()) if word not in STOP]
    key = f"{first}{year or ''}{words[0] if words else ''}".lower()
    key = re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", key))
    taken[key] = taken.get(key, 0) + 1
    return key if taken[key] == 1 else f"{key}{chr(ord('a') + taken[key] - 1)}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)
