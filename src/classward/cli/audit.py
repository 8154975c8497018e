"""`classward audit`: attack, analyse, judge, report."""

from typing import Annotated

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.evaluation.audit import audit as run_audit
from classward.evaluation.plan import passes_of, plan
from classward.records.audit_result import Audit
from classward.records.examples import read_examples
from classward.records.run_folder import RunFolder
from classward.reporting.page import render
from classward.reporting.summary import text_summary


@options.shared
def audit(
    given: options.Common,
    *,
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    budget: Annotated[
        str, typer.Option(help="quick: FGSM, and PGD-20 on cross-entropy and on the margin.")
    ] = "quick",
    expect_clean: Annotated[
        float | None, typer.Option(min=0, max=1, help="Clean accuracy the model is known for.")
    ] = None,
    min_robust_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit 1 below this robust accuracy.")
    ] = None,
    max_class_gap: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit 1 above this best minus worst class."),
    ] = None,
) -> int:
    """Say how robust a classifier is, per class, and whether the number can be trusted."""
    if budget != "quick":
        raise InputError(f"--budget {budget!r}: only 'quick' is there")
    radius = options.radius(eps, norm)
    data = given.samples_of("test")
    model, planned, folder = given.network(data), plan(radius, norm), given.folder("audit")
    cost = passes_of(planned, len(data))
    say(
        f"{given.name} on {len(data)} samples of {data.name}: {', '.join(planned)}; at most "
        f"{cost.forward} images forward and {cost.backward} backward"
    )
    with progress() as tell:
        audited = run_audit(
            model,
            data,
            eps=radius,
            norm=norm,
            expect_clean=expect_clean,
            model_name=given.name,
            out=folder,
            resume=given.resume,
            overwrite=given.overwrite,
            progress=tell,
            **given.run,
        )
    render(audited, folder / "report.html", examples=read_examples(RunFolder.open(folder)))
    show(audited.to_dict(), text_summary(audited), as_json=given.as_json)
    say(f"report: {folder / 'report.html'}")
    return _exit_code(audited, min_robust_accuracy, max_class_gap)


def _exit_code(audited: Audit, least: float | None, gap: float | None) -> int:
    if audited.verdict == "unsound":
        say("unsound: the robust accuracy cannot be trusted")
        return 4
    if least is not None and audited.robust_accuracy < least:
        say(f"gate failed: robust accuracy {audited.robust_accuracy:.4f} is below {least:g}")
        return 1
    shares = [entry.robust for entry in audited.per_class if entry.robust is not None]
    if gap is not None and max(shares) - min(shares) > gap:
        say(f"gate failed: class gap {max(shares) - min(shares):.4f} is above {gap:g}")
        return 1
    return 0
