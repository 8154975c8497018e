"""Numbers and names in words, the same on the page and in the terminal.

Class names and file names come from strangers: whatever cannot be seen (control, bidirectional
and surrogate characters) is replaced before anything is printed, drawn or written.
"""

from classward.records.result import Share

DASH, MINUS, ELLIPSIS = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{HORIZONTAL ELLIPSIS}"
UNDEFINED = "undefined"


def printable(text: str, width: int | None = None) -> str:
    r"""`text` on one line without invisible characters, cut to `width` with an ellipsis.

    >>> printable("two\nlines"), printable("a long name", width=6)
    ('two lines', 'a lon…')
    """
    head = text if width is None else text[: 4 * width]  # a name may have a million characters
    seen = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in head)
    seen = " ".join(seen.split())
    return seen if width is None or len(seen) <= width else seen[: width - 1] + ELLIPSIS


def label(name: str, width: int = 24) -> str:
    """A class name to be printed or drawn: never empty, never long.

    >>> label("cat"), label(" ")
    ('cat', '(no name)')
    """
    return printable(name, width) or "(no name)"


def called(name: str) -> str:
    """A class name in a sentence, where a bare number would read as a figure.

    >>> called("cat"), called("3")
    ('cat', 'class 3')
    """
    shown = label(name)
    return f"class {shown}" if shown.isdigit() else shown


def percent(share: float | None) -> str:
    """A share in percent with one decimal.

    >>> percent(0.5432), percent(None), percent(-0.1) == MINUS + "10.0%"
    ('54.3%', 'undefined', True)
    """
    return UNDEFINED if share is None else f"{100 * share:.1f}%".replace("-", MINUS)


def between(low: float | None, high: float | None) -> str:
    """Both ends of an interval of shares.

    >>> between(0.51, 0.575).split(DASH)
    ['51.0', '57.5%']
    """
    if low is None or high is None:
        return UNDEFINED
    return f"{100 * low:.1f}{DASH}{percent(high)}"


def share(entry: Share) -> str:
    """A share with its interval."""
    return measured(entry.value, entry.low, entry.high)


def measured(value: float | None, low: float | None, high: float | None) -> str:
    """A share with the interval given beside it."""
    return UNDEFINED if value is None else f"{percent(value)} ({between(low, high)})"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign.

    >>> points(0.027), points(-0.1) == MINUS + "10.0"
    ('+2.7', True)
    """
    return f"{100 * difference:+.1f}".replace("-", MINUS)


def number(value: float | None) -> str:
    """A statistic with two decimals."""
    return UNDEFINED if value is None else f"{value:.2f}".replace("-", MINUS)


def p_value(p: float) -> str:
    """A p-value with two digits, but never more than four decimals.

    >>> p_value(0.1532), p_value(0.004975), p_value(1e-9)
    ('= 0.15', '= 0.005', '< 0.0001')
    """
    return "< 0.0001" if p < 0.0001 else f"= {round(p, 4):.2g}"


def radius(norm: str, eps: float) -> str:
    """A ball, its radius as a fraction of 255 where that is how it was meant.

    >>> radius("linf", 8 / 255), radius("l2", 0.5), radius("linf", 0.2)
    ('l-inf 8/255', 'l2 0.5', 'l-inf 0.2')
    """
    levels = 255 * eps
    meant = len(f"{eps:g}") > 5 and abs(levels - round(levels)) < 1e-4 and round(levels) > 0
    return f"{norm.replace('inf', '-inf')} {f'{round(levels)}/255' if meant else f'{eps:g}'}"


def duration(seconds: float) -> str:
    """A time span in its two largest units.

    >>> duration(3.25), duration(59.97), duration(125.0), duration(7260.0)
    ('3.2 s', '1 min 0 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, part = divmod(minutes, 60)
    return f"{hours} h {part} min" if hours else f"{minutes} min {rest} s"


def words(name: str) -> str:
    """A name in snake case as words."""
    return printable(name.replace("_", " "), width=60)


def listed(names: list[str], most: int = 6) -> str:
    """Names with commas; beyond `most` only their number.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ('a, b and c', 'a, b and 1 more')
    """
    shown = [label(name) for name in names[:most]]
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
