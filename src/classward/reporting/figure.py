"""Drawing without a trace: one style for all plots, and the same bytes for the same numbers.

Matplotlib keeps its style in global settings; they are ours for the time of a drawing, and the
caller's again after it. No figure is registered with pyplot.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    import matplotlib.figure

INK, MUTED, FAINT = "#1d2733", "#5d6b7a", "#d5dce4"
ACCENT, HIGHLIGHT = "#1f5f99", "#d55e00"  # blue and vermilion: told apart by every eye
STYLE = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "font.sans-serif": ["DejaVu Sans"],  # to measure with; the page has its own
    "font.size": 9,
    "hatch.color": "#b4bec9",
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text: small, searchable, in any script
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$x$"
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}
NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])


@contextmanager
def drawing(salt: str = "classward") -> Iterator[None]:
    """Matplotlib in our style; `salt` sets apart the identifiers of two drawings on a page."""
    import matplotlib.style

    with (
        matplotlib.style.context(["default", STYLE | {"svg.hashsalt": salt}]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has that script
        yield


def in_percent(share: float, position: object = None) -> str:
    """Label of a tick, whose position on the axis does not matter.

    >>> in_percent(0.025), in_percent(0.3)
    ('2.5%', '30%')
    """
    return f"{100 * share:g}%"


def svg(figure: "matplotlib.figure.Figure", salt: str) -> Markup:
    """`figure` as an SVG element to stand inside an HTML page."""
    buffer = StringIO()
    with drawing(salt):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue()
    text = f'<svg style="--width: {72 * figure.get_figwidth():.0f}pt"{text.split("<svg", 1)[1]}'
    text = re.sub(r'<g id="[\w.]+_\d+"', "<g", text)  # would be there twice on one page
    text = re.sub(r'(?<=<path d=")[^"]+', _shorter, text)
    return Markup(text)  # matplotlib escapes what it writes


def _shorter(path: re.Match[str]) -> str:
    """Coordinates in hundredths of a point, on one line: half the size, the same picture."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0]).replace("\n", "")
