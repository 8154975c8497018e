"""The earlier audit that a build is held against."""

from collections.abc import Mapping
from pathlib import Path

from classward.core.errors import InputError
from classward.core.types import Precision
from classward.data.split import Split
from classward.evaluation.compare import compared
from classward.evaluation.measured import Measured, measured_audit
from classward.records.comparison_result import Comparison


def read_baseline(
    run: str | Path,
    data: Split,
    *,
    out: str | Path | None,
    eps: float,
    norm: str,
    attacks: Mapping[str, object],
    precision: Precision = "exact",
) -> Measured:
    """Read the baseline, and refuse one that answers another question.

    Args:
        run: Folder of an audit.
        data: The samples of the audit to come.
        out: Its folder, which must not be the baseline's.
        eps: Its radius.
        norm: Its norm.
        attacks: Attack name -> its options, as text or as what prints so.
        precision: What leads them.

    Raises:
        InputError: If it is no audit, or of other data, classes, ball, attacks or precision.
    """
    if out is not None and Path(out).resolve() == Path(run).resolve():
        raise InputError(f"baseline {run}: the audit would go there too; choose another --out")
    baseline = measured_audit(run)
    record = baseline.headline
    if record.settings["data_digest"] != data.digest():
        raise InputError(
            f"baseline {run}: of other samples; give the same --data, --split and --samples"
        )
    if (mode := record.settings["mode"]) != precision:
        raise InputError(f"baseline {run}: led by --precision {mode}, now by {precision}")
    if (baseline.eps, baseline.norm) != (eps, norm):
        raise InputError(
            f"baseline {run}: within {baseline.norm} {baseline.eps:g}, now {norm} {eps:g}"
        )
    asked = {name: str(options) for name, options in attacks.items()}
    if other := sorted(
        name
        for name in asked.keys() | baseline.attacks.keys()
        if asked.get(name) != baseline.attacks.get(name)
    ):
        raise InputError(f"baseline {run}: its {other[0]} differs; audit it again with this")
    return baseline


def against_baseline(baseline: Measured, run: str | Path) -> Comparison:
    """The audit in the folder `run` against the baseline.

    Raises:
        InputError: If samples or classes differ.
    """
    return compared([baseline, measured_audit(run)])
