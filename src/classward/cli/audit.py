"""`classward audit`: attack, analyse, judge, report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.data.split import Split
from classward.evaluation.audit import audit as run_audit
from classward.evaluation.audit import audit_settings
from classward.evaluation.baseline import against_baseline, read_baseline
from classward.evaluation.gates import gates
from classward.evaluation.pace import seconds_of_passes
from classward.evaluation.plan import Budget, has_curve, passes_of, plan
from classward.records.atomic import atomic_write
from classward.records.audit_result import Audit
from classward.records.examples import read_examples
from classward.records.gate import Gate
from classward.records.manifest import check_resumable
from classward.records.run_folder import RunFolder
from classward.reporting.junit import junit as junit_of
from classward.reporting.markdown import markdown as markdown_of
from classward.reporting.page import render
from classward.reporting.summary import text_summary


@options.shared
def audit(
    given: options.Common,
    *,
    eps: Annotated[
        str, typer.Option(help="Radius in pixel units, such as 8/255, or several: 8/255,4/255.")
    ] = "8/255",
    norm: options.Norm = "linf",
    budget: Annotated[
        Budget,
        typer.Option(
            help="quick: FGSM and PGD-20; standard: and AutoAttack's on what stands; full: and "
            "black-box attacks and restarts."
        ),
    ] = "quick",
    time_limit: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds after which no further attack begins."),
    ] = None,
    expect_clean: Annotated[
        float | None, typer.Option(min=0, max=1, help="Clean accuracy the model is known for.")
    ] = None,
    surrogate: Annotated[
        list[str] | None,
        typer.Option(help="Another network, MODEL=WEIGHTS, to attack this one through."),
    ] = None,
    join: options.Join = False,
    patience: options.Patience = 600.0,
    min_robust_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit 1 below this robust accuracy.")
    ] = None,
    max_class_gap: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit 1 above this best minus worst class."),
    ] = None,
    max_pair_flow: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit 1 above this share of a class lost to another."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="An earlier audit; exit 1 where this is significantly worse."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write gates and checks as JUnit XML.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary for a pull request.")
    ] = None,
) -> int:
    """Say how robust a classifier is, per class, and whether the number can be trusted."""
    radii = options.radii(eps, norm)
    files = {"--junit": junit, "--markdown": markdown, "--baseline": baseline}
    for option in files if len(radii) > 1 else ():
        if files[option] is not None:
            raise InputError(f"{option} takes one --eps, got {len(radii)}: audit them apart")
    for option in ("--junit", "--markdown"):
        if (file := files[option]) is not None:
            options.check_file(file, overwrite=True, option=option)
    data, folder = given.samples_of("test"), given.folder("audit")
    places = {r: folder if len(radii) == 1 else folder / f"eps-{r:.6g}" for r in radii}
    if join and time_limit is not None:
        raise InputError("--join takes no --time-limit: processes would stop apart")
    for radius, out in places.items() if given.resume or join else ():
        settings = audit_settings(
            data, given.name, eps=radius, norm=norm, budget=budget, **given.run
        )
        check_resumable(out, "audit", settings)  # before the model is made
    model = given.network(data)
    surrogates = [given.surrogate(named, data) for named in surrogate or ()]
    earlier = baseline and read_baseline(
        baseline,
        data,
        out=given.out,
        eps=radii[0],
        norm=norm,
        attacks=plan(radii[0], norm, budget, model=model),
        precision=given.precision,
    )
    if len(radii) > 1:
        flags = {"resume": given.resume, "overwrite": given.overwrite, "join": join}
        with RunFolder.create(folder, "audits", {"eps": radii}, **flags):
            pass  # it holds one run for each radius
    audits: list[Audit] = []
    codes: list[int] = []
    for radius, out in places.items():
        _say_cost(given, model, data, radius, norm, budget)
        with progress() as tell:
            audited = run_audit(
                model,
                data,
                eps=radius,
                norm=norm,
                budget=budget,
                time_limit=time_limit,
                expect_clean=expect_clean,
                surrogates=surrogates,
                model_name=given.name,
                out=out,
                resume=given.resume,
                overwrite=given.overwrite,
                join=join,
                patience=patience,
                progress=tell,
                **given.run,
            )
        judged = gates(
            audited,
            min_robust_accuracy=min_robust_accuracy,
            max_class_gap=max_class_gap,
            max_pair_flow=max_pair_flow,
            baseline=against_baseline(earlier, out) if earlier else None,
        )
        render(audited, out / "report.html", examples=read_examples(RunFolder.open(out)))
        if junit is not None:
            atomic_write(junit, junit_of(audited, judged).encode())
        if markdown is not None:
            atomic_write(markdown, markdown_of(audited, judged).encode())
        audits.append(audited)
        if not given.as_json:
            show(None, text_summary(audited), as_json=False)
        say(f"report: {out / 'report.html'}")
        codes.append(_exit_code(audited, judged))
    if given.as_json:
        told = [audited.to_dict() for audited in audits]
        show(told[0] if len(told) == 1 else {"audits": told}, "", as_json=True)
    return max(codes)


def _say_cost(
    given: options.Common, model: Any, data: Split, eps: float, norm: str, budget: Budget
) -> None:
    """What attacks and checks cost at most, from a short probe of the model."""
    planned, curve = plan(eps, norm, budget, model=model), has_curve(eps, budget)
    cost = passes_of(planned, len(data), curve=curve)
    forward, both = seconds_of_passes(model, data, given.device, given.precision)
    at_most = (cost.forward - cost.backward) * forward + cost.backward * both
    say(
        f"{given.name} on {len(data)} samples of {data.name}, eps {eps:.4g}: "
        f"{', '.join(planned)}{', curve' if curve else ''}, checks; at most "
        f"{cost.forward} images forward and {cost.backward} backward, about {at_most:.0f} s "
        "if everything stands"
    )


def _exit_code(audited: Audit, judged: list[Gate]) -> int:
    for gate in judged:
        say(f"gate {'passed' if gate.passed else 'failed'}: {gate.evidence}")
    if audited.verdict == "unsound":
        say("unsound: the robust accuracy cannot be trusted")
        return 4
    return int(not all(gate.passed for gate in judged))
