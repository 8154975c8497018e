"""Drawing without a trace: one style for all plots, and the same bytes for the same numbers.

Matplotlib keeps its style in global settings; they are ours for the time of a drawing, and the
caller's again after it. No figure is registered with pyplot. Every `plot_*` draws on the axes
that it is given, or on those of a new figure, and returns them.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from torch import Tensor

from classward.core.errors import InputError
from classward.records.atomic import atomic_write
from classward.records.result import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = Float[np.ndarray, "k k"] | Float[Tensor, "k k"] | Matrix  # NaN or None: undefined

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
    "pdf.fonttype": 42,  # fonts in the file, their letters selectable
    "svg.fonttype": "none",  # text stays text: small, searchable, in any script
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$x$"
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}
NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])
PLAIN = {  # metadata that would say when and by what a file was made
    ".pdf": dict.fromkeys(["CreationDate", "Creator", "Producer"]),
    ".png": {"Software": None},
    ".svg": NO_METADATA,
}
DOTS = 120  # per inch, of a PNG


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


def axes_for(ax: "Axes | None", width: float, height: float) -> Any:
    """`ax`, or the only axes of a new figure of this size in inches."""
    from matplotlib.figure import Figure

    if ax is None:
        return Figure(figsize=(width, height), layout="constrained").add_subplot()
    for side in {"right", "top"} & set(ax.spines):
        ax.spines[side].set_visible(False)
    return ax


def legend(axes: Any, ax: "Axes | None", place: str = "upper right", columns: int = 1) -> None:
    """Outside of new axes; above those that were given, whose figure may hold others."""
    if ax is None:
        axes.figure.legend(loc=f"outside {place}", ncols=columns, frameon=False)
    else:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=columns,
            frameon=False,
        )  # fmt: skip


def array(values: Values) -> Float[np.ndarray, "k k"]:
    """A matrix of a result, an array or a tensor as an array; undefined is NaN."""
    kept = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return np.array(kept, dtype=np.float64)


def numbered(names: list[str] | None, classes: int) -> list[str]:
    """Class names, or the numbers of the classes where there are none."""
    return list(map(str, range(classes))) if names is None else names


def save_plot(ax: "Axes", path: str | Path) -> None:
    """Write the figure of `ax` as .pdf, .svg or .png; the same bytes for the same numbers.

    A PDF holds its fonts (Type 42), and an SVG its letters as outlines, so that both look the
    same everywhere.

    Raises:
        InputError: If `path` ends otherwise.
        SystemFaultError: If it cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in PLAIN:
        raise InputError(f"{path}: a plot is saved as {', '.join(sorted(PLAIN))}")
    import matplotlib as mpl

    figure: Any = ax.figure
    buffer = BytesIO()
    with drawing(), mpl.rc_context({"svg.fonttype": "path"}):
        figure.savefig(buffer, format=kind[1:], dpi=DOTS, metadata=PLAIN[kind])
    atomic_write(path, buffer.getvalue())


def svg(drawn: "Axes | Figure", salt: str) -> Markup:
    """The figure of some axes as an SVG element to stand inside an HTML page."""
    from matplotlib.axes import Axes

    figure: Any = drawn.figure if isinstance(drawn, Axes) else drawn
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
