"""`classward correct explain` and `detect`: what attacks leave in logits, and who sees it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from classward.cli import options
from classward.cli.screen import progress, say, show
from classward.core.errors import InputError
from classward.correction.corrector import Corrector
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.bank import bank_of
from classward.evaluation.detection import (
    detection_table,
    fitted_detectors,
    noise_statistic,
    samples_of,
)
from classward.evaluation.detection_under_attack import detection_under_attack
from classward.evaluation.explain import BY
from classward.evaluation.explain import explain as run_explain
from classward.evaluation.explain_instance import explain_instance
from classward.records.detection_result import DetectionTable
from classward.records.record import Record
from classward.records.result import Result
from classward.records.run_folder import RunFolder, check_free, next_free
from classward.records.saved import dump
from classward.reporting.page import render
from classward.reporting.summary import text_summary

Runs = Annotated[list[Path], typer.Argument(help="Attack records of test images.")]


def explain(
    file: Annotated[Path, typer.Argument(help="A corrector that `correct fit` wrote.")],
    runs: Runs,
    second: Annotated[
        Path | None, typer.Option(help="The same corrector fitted with another seed.")
    ] = None,
    by: Annotated[float, typer.Option(min=0, help="How far logits are reduced.")] = BY,
    sample: Annotated[
        int | None, typer.Option(help="Id of one image, to be looked at under each attack.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The attacked data, to show an image of each class.")
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the data set.")] = "test",
    data_root: options.DataRoot = None,
    seed: options.Seed = 0,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> int:
    """Which classes a corrector listens to under each attack, beside what chance gives."""
    if out is not None:
        check_free(out, resume=False, overwrite=overwrite)
    corrector = Corrector.load(file)
    other = None if second is None else Corrector.load(second)
    records = options.records_of(runs)
    images = None if data is None else load_data(data, split=split, root=data_root)
    told = run_explain(corrector, records, second=other, data=images, by=by, seed=seed)
    if sample is not None:
        told = replace(told, instance=explain_instance(corrector, records, sample))
    settings = {
        "corrector": str(file),
        "records": list(records),
        "by": by,
        "sample": sample,
        "data": data,
        "seed": seed,
    }
    folder = out or next_free("runs", "explain")
    return _kept(told, "explanation", settings, folder, overwrite, as_json)


def detect(
    runs: Runs,
    fit_on: Annotated[
        list[Path], typer.Option("--fit", help="Attack records of training images.")
    ],
    corrector: Annotated[
        Path | None, typer.Option(help="Add detectors that compare with its corrected logits.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The attacked model: adds the noise statistic.")
    ] = None,
    weights: options.Weights = None,
    mean: options.Mean = None,
    std: options.Std = None,
    data: Annotated[str | None, typer.Option(help="The attacked data set.")] = None,
    data_root: options.DataRoot = None,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Attack model and detectors as one as well.")
    ] = False,
    eps: options.Eps = "8/255",
    norm: options.Norm = "linf",
    steps: Annotated[int, typer.Option(min=1, help="Steps of these attacks.")] = 50,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    batch_size: options.BatchSize = 128,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> int:
    """Tell attacked logits from clean ones: every detector on each attack."""
    if (model is None) != (data is None):
        raise InputError("--model and --data come together: the attacked model and its data")
    if adaptive and model is None:
        raise InputError("--adaptive attacks a model: give --model and --data")
    if out is not None:
        check_free(out, resume=False, overwrite=overwrite)
    fitted, records = options.records_of(fit_on), options.records_of(runs)
    asked = Detection(
        fitted=fitted,
        records=records,
        corrector=None if corrector is None else Corrector.load(corrector),
        radius=options.radius(eps, norm),
        norm=norm,
        steps=steps if adaptive else None,
    )
    settings = {
        "fit": list(fitted),
        "records": list(records),
        "corrector": None if corrector is None else str(corrector),
        "seed": seed,
    }
    if model is None or data is None:
        table = detection_table(fitted, records, corrector=asked.corrector)
    else:
        given = options.Common(
            model=model,
            data=data,
            weights=weights,
            mean=mean,
            std=std,
            data_root=data_root,
            seed=seed,
            device=device,
            batch_size=batch_size,
        )
        given.check()
        table = _with_model(given, asked)
        settings |= {"model": given.name, "data": data}
    if adaptive:
        settings |= {"eps": asked.radius, "norm": norm, "steps": steps}
    folder = out or next_free("runs", "detect")
    return _kept(table, "detection", settings, folder, overwrite, as_json)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """What `detect` was asked, the model aside; `steps` only of an adaptive attack."""

    fitted: dict[str, Record]
    records: dict[str, Record]
    corrector: Corrector | None
    radius: float
    norm: Literal["linf", "l2"]
    steps: int | None


def _with_model(given: options.Common, asked: Detection) -> DetectionTable:
    """The table with the noise statistic, and what evades the detectors if that was asked."""
    fitted, records, corrector = asked.fitted, asked.records, asked.corrector
    run = {"seed": given.seed, "device": given.device, "batch_size": given.batch_size}
    training, images = _of(fitted, given, "train"), _of(records, given, "test")
    network = given.network(images)
    noise = noise_statistic(network, training, **run)
    table = detection_table(fitted, records, corrector=corrector, noise=noise, data=images)
    if asked.steps is None:
        return table
    first, *_ = fitted.values()
    with progress() as tell:
        under = detection_under_attack(
            network,
            fitted_detectors(fitted, records, corrector),
            images,
            bank=bank_of(first),
            eps=asked.radius,
            norm=asked.norm,
            steps=asked.steps,
            noise=noise,
            progress=lambda done, total: tell("adaptive", done, total),
            **run,
        )
    return replace(table, under_attack=under)


def _of(records: dict[str, Record], given: options.Common, split: str) -> Split:
    """The clean images of the records, each once."""
    data = given.samples_of(split)
    rows = [samples_of(record, data).ids for record in records.values()]
    return data.select(torch.isin(data.ids, torch.cat(rows)).nonzero().flatten())


def _kept(
    result: Result,
    kind: str,
    settings: dict[str, Any],
    folder: Path,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Write a result and its page, and print it."""
    with RunFolder.create(folder, kind, settings, overwrite=overwrite) as run:
        run.write("result.json", dump(result).encode())
        render(result, folder / "report.html")
    show(result.to_dict(), text_summary(result), as_json=as_json)
    say(f"report: {folder / 'report.html'}")
    return 0
