"""A result in the run of MLflow that is active; needs the extra `mlflow`."""

import re
from collections.abc import Iterator
from typing import Any

from classward.core.errors import InputError
from classward.records.result import Result
from classward.reporting.page import render

ASKED = {"eps", "seed", "tolerance"}  # numbers that were asked for and not measured
LONGEST = 500  # characters of a parameter


def log_to_mlflow(result: Result) -> None:
    """Log numbers as metrics, what was asked as parameters, page and result as artefacts.

    Names are those of `to_dict()`, joined by "/"; lists are in `result.json` alone. Without an
    active run, MLflow starts one.

    Raises:
        InputError: If MLflow is not installed, or the result has no page.
    """
    try:
        import mlflow  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("MLflow is not installed: pip install 'classward[mlflow]'") from None
    page, table = render(result), result.to_dict()
    leaves = list(_leaves(table))
    mlflow.log_metrics({name: float(value) for name, value in leaves if _measured(name, value)})
    mlflow.log_params(
        {
            name: str(value)[:LONGEST]
            for name, value in leaves
            if value is not None and not _measured(name, value)
        }
    )
    mlflow.log_text(page, "report.html")
    mlflow.log_dict(table, "result.json")


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is in no list, with its name as MLflow allows it.

    >>> list(_leaves({"attacks": {"pgd (20)": 0.5}, "pairs": [1, 2], "seed": 0}))
    [('attacks/pgd _20_', 0.5), ('seed', 0)]
    """
    for key, value in table.items():
        name = prefix + re.sub(r"[^\w\-. ]", "_", key, flags=re.ASCII)
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}/")
        elif not isinstance(value, list):
            yield name, value


def _measured(name: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and name.rsplit("/", 1)[-1] not in ASKED
