"""Correctors that are fitted once: what a file holds is taken if it is what would be fitted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classward.core.errors import InputError
from classward.correction.corrector import Corrector, Progress
from classward.records.record import Record


def kept_corrector(
    path: Path,
    corrector: Corrector,
    records: Sequence[Record],
    *,
    changed: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Corrector:
    """The corrector in the file, or a new one that is then in it.

    The file is trusted if options, attacks and number of samples are those asked for.

    Args:
        path: The file.
        corrector: Whose options count; it is not fitted itself.
        records: What to fit on.
        changed: Options to be others than the corrector's.
        progress: Called with the epochs done and all of them.

    Raises:
        ValueError: If an option is unfit.
        InputError: If the records are unfit, or the fit diverges.
        SystemFaultError: If the file cannot be written.
    """
    wanted = Corrector(**corrector.get_params() | (changed or {}))
    there = _read(path)
    if there is not None and _same(there, wanted, records):
        return there
    fitted = wanted.fit_records(records, progress=progress)
    fitted.save(path)
    return fitted


def _read(path: Path) -> Corrector | None:
    try:
        return Corrector.load(path)
    except InputError:
        return None  # absent or damaged: it is made again


def _same(there: Corrector, wanted: Corrector, records: Sequence[Record]) -> bool:
    samples = {sample for record in records for sample in record.ids.tolist()}
    return (
        there.get_params() == wanted.get_params()
        and there.fitted_on_ == [record.settings["attack"] for record in records]
        and there.training_samples_ == len(samples)
    )
