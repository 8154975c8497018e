"""A result in a notebook: one line and a table of a few rows, everything escaped."""

import html
from typing import Any

MOST_ROWS = 20
LONGEST = 60  # characters of a cell


def as_html(headline: str, rows: list[dict[str, Any]]) -> str:
    """`headline` in bold, and below it the first rows.

    >>> as_html("<b>", [{"name": "cat", "robust": 0.25}])[:41]
    '<p><b>&lt;b&gt;</b></p><table><tr><th>nam'
    """
    columns = list(dict.fromkeys(key for row in rows[:MOST_ROWS] for key in row))
    lines = ["".join(f"<th>{html.escape(key.replace('_', ' '))}</th>" for key in columns)]
    lines += [
        "".join(f"<td>{html.escape(shown(row.get(key, '')))}</td>" for key in columns)
        for row in rows[:MOST_ROWS]
    ]
    if len(rows) > MOST_ROWS:
        more = len(rows) - MOST_ROWS
        lines.append(f'<td colspan="{len(columns)}">{more} more: to_dataframe()</td>')
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<p><b>{html.escape(headline)}</b></p><table>{table}</table>"


def shown(value: object) -> str:
    """A plain value of a result in a few characters.

    >>> shown({"count": 1, "total": 4, "value": 0.25, "low": 0.0456, "high": 0.699})
    '0.25 (0.0456 to 0.699)'
    >>> shown((0.1, 0.25)), shown(None), shown({"cat": 1, "dog": 2})
    ('0.1 to 0.25', 'undefined', '2 entries')
    """
    if isinstance(value, dict):
        return _shown_table(value)
    if isinstance(value, list | tuple):
        numbers = len(value) == 2 and all(isinstance(end, float) for end in value)
        return " to ".join(map(shown, value)) if numbers else f"{len(value)} entries"
    if value is None:
        return "undefined"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _shown_table(value: dict[str, Any]) -> str:
    if "value" not in value:
        return f"{len(value)} entries"
    low, high = value.get("low"), value.get("high")
    known = isinstance(low, float) and isinstance(high, float)
    return shown(value["value"]) + (f" ({shown(low)} to {shown(high)})" if known else "")
