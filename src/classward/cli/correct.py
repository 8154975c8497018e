"""`classward correct`: fit, judge and apply a corrector of logits."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from classward.cli import options
from classward.cli.correct_inspect import detect, explain
from classward.cli.correct_study import study
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.correction.tables import read_logits
from classward.data.tables import read_column, read_table, table_bytes
from classward.evaluation.adaptive import check_correction, correction_table
from classward.records.atomic import atomic_write
from classward.records.record import Record
from classward.records.run_folder import RunFolder
from classward.records.saved import dump
from classward.reporting.page import render
from classward.reporting.summary import text_summary

app = typer.Typer(no_args_is_help=True)
for other in (study, explain, detect):
    app.command()(other)
PRESETS = {"paper": Corrector, "small": Corrector.small, "union": Corrector.union}
File = Annotated[Path, typer.Argument(help="A corrector that `correct fit` wrote.")]


@app.callback()
def correct() -> None:
    """Correct attacked predictions from logits alone."""


@app.command()
def fit(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Attack records of training images.")
    ] = None,
    clean: Annotated[
        Path | None, typer.Option(help="Instead of records: logits before, .npy/.csv/.parquet.")
    ] = None,
    attacked: Annotated[
        Path | None, typer.Option(help="Logits of the same images under attack.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Their classes; by default what is said when clean.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File of the corrector.")] = Path(
        "corrector.safetensors"
    ),
    preset: Annotated[
        Literal["paper", "small", "union"] | None,
        typer.Option(
            help="paper presupposes a million samples, small a few thousand, union the same of "
            "several attacks; small for one record, union for more by default."
        ),
    ] = None,
    set_: options.Set = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
) -> int:
    """Fit a corrector on attack records."""
    options.check_file(out, overwrite=overwrite)
    several = len(runs or ()) > 1
    made = PRESETS[preset or ("union" if several else "small")]
    chosen: dict[str, Any] = {"seed": seed} | options.settings(set_)
    corrector = made(**chosen)
    records = [options.record_of(run) for run in runs or ()]
    if clean is not None or attacked is not None or labels is not None:
        records.append(_of_tables(clean, attacked, labels))
    if not records:
        raise InputError("nothing to fit on: give 'runs', or --clean and --attacked")
    with progress() as tell:
        corrector.fit_records(records, progress=lambda done, all_: tell("epochs", done, all_))
    corrector.save(out)
    say(f"corrector: {out}, fitted on {sum(map(len, records))} rows of {len(records)} records")
    return 0


def _of_tables(clean: Path | None, attacked: Path | None, labels: Path | None) -> Record:
    """A record of logits in files, for people who have nothing else."""
    if clean is None or attacked is None:
        raise InputError("logits to fit on come in pairs: give both --clean and --attacked")
    before = read_logits(read_table(clean), str(clean)).numpy()
    after = read_logits(read_table(attacked), str(attacked), before.shape[1]).numpy()
    said = before.argmax(axis=1) if labels is None else read_column(labels)
    return Record.from_arrays(labels=said, clean_logits=before, adversarial_logits=after)


@app.command()
@options.shared
def evaluate(
    given: options.Common,
    *,
    file: File,
    records: Annotated[
        list[Path], typer.Option("--record", help="Record of an attack on the bare model.")
    ],
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the adaptive attacks.")] = 50,
) -> int:
    """Three columns: no defense, gray-box on the records, and the adaptive attacker."""
    corrector, read = Corrector.load(file), options.records_of(records)
    data = given.samples_of("test")
    model, folder, radius = (
        given.network(data),
        given.folder("correct"),
        options.radius(eps, norm),
    )
    settings = {
        "corrector": str(file),
        "model": given.name,
        "data": data.name,
        "samples": len(data),
        "records": list(read),
        "eps": radius,
        "norm": norm,
        "steps": steps,
        "seed": given.seed,
    }
    check_correction(model, corrector, data, read, radius)
    with (
        RunFolder.create(
            folder, "correction", settings, resume=given.resume, overwrite=given.overwrite
        ) as run,
        progress() as tell,
    ):
        table = correction_table(
            model,
            corrector,
            data,
            read,
            eps=radius,
            norm=norm,
            steps=steps,
            progress=lambda done, total: tell("adaptive", done, total),
            **given.run,
        )
        run.write("result.json", dump(table).encode())
        render(table, folder / "report.html")
    show(table.to_dict(), text_summary(table), as_json=given.as_json)
    say(f"report: {folder / 'report.html'}")
    return 0


@app.command()
def apply(
    file: File,
    logits: Annotated[
        Path, typer.Argument(help="Logits, n x k, in a .npy, .csv or .parquet file.")
    ],
    out: Annotated[
        Path, typer.Option(help="Corrected logits, in a file of either kind.")
    ] = Path("corrected.npy"),
    overwrite: options.Overwrite = False,
) -> int:
    """Correct logits from a file."""
    options.check_file(out, overwrite=overwrite)
    corrector = Corrector.load(file)
    rows = read_logits(read_table(logits), str(logits), corrector.n_features_in_).numpy()
    corrected = corrector.transform(rows)
    atomic_write(out, table_bytes(corrected, out))
    changed = (corrected.argmax(axis=1) != rows.argmax(axis=1)).mean()
    say(f"corrected: {out}, {len(rows)} rows, {changed:.1%} of the predictions changed")
    return 0


@app.command()
def export(
    file: File,
    out: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
    overwrite: options.Overwrite = False,
) -> int:
    """Write a corrector as an ONNX file, for programs without torch."""
    options.check_file(out, overwrite=overwrite)
    corrector = Corrector.load(file)
    corrector.export(out)
    say(f"ONNX: {out}, logits (n x {corrector.n_features_in_}) to corrected logits")
    return 0
