"""Options that commands share, each defined once, and what they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from classward.core.balls import ball
from classward.core.errors import InputError
from classward.core.methods import make, read_option
from classward.core.processes import is_first, own_number, together
from classward.core.types import Precision
from classward.data.load import load_data
from classward.data.split import Split
from classward.evaluation.judge import Judge, judging
from classward.evaluation.plan import HEADLINE
from classward.models.load import load_model, models
from classward.records.atomic import sweep
from classward.records.record import Record
from classward.records.run_folder import RunFolder, check_free, next_free

Model = Annotated[
    str,
    typer.Option(
        help="Built-in name, (torchvision|timm|robustbench):NAME or FILE.py:FUNCTION."
    ),
]
Weights = Annotated[
    Path | None, typer.Option(help="A .safetensors or .pt file, or a training run.")
]
Mean = Annotated[
    str | None, typer.Option(help="Input mean, one number for each channel: .5,.5,.5")
]
Std = Annotated[str | None, typer.Option(help="Input deviation, one for each channel.")]
CorrectorFile = Annotated[
    Path | None, typer.Option("--corrector", help="Put this corrector behind the model.")
]
Data = Annotated[
    str,
    typer.Option(help="Built-in name, folder of class folders, .npz or FILE.py:FUNCTION."),
]
SplitName = Annotated[
    str | None, typer.Option("--split", help="Part of the data set: train or test.")
]
DataRoot = Annotated[Path | None, typer.Option(help="Where data files are.")]
Samples = Annotated[
    str | None, typer.Option(help="N images, equally many of each class, or first:N.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
PrecisionName = Annotated[
    Precision,
    typer.Option(help="exact: float32; fast: gradients in bfloat16, verdicts in float32."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images at once.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run; runs/… by default.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Eps = Annotated[str, typer.Option(help="Radius in pixel units, such as 8/255.")]
Norm = Annotated[Literal["linf", "l2"], typer.Option(help="Norm of the ball.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="An option of the method: key=value.")
]
Join = Annotated[
    bool,
    typer.Option("--join", help="Share the work with all who run the same on this --out."),
]
Patience = Annotated[
    float, typer.Option(min=1, help="Seconds one process of several waits for another.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options of every command that works on a model and data; see `shared`."""

    model: Model
    data: Data
    weights: Weights = None
    mean: Mean = None
    std: Std = None
    corrector: CorrectorFile = None
    split: SplitName = None
    data_root: DataRoot = None
    samples: Samples = None
    seed: Seed = 0
    device: Device = "cpu"
    precision: PrecisionName = "exact"
    batch_size: BatchSize = 128
    out: Out = None
    overwrite: Overwrite = False
    resume: Resume = False
    as_json: AsJson = False

    def check(self, *, join: bool = False) -> None:
        """Refuse at once what needs no file to be seen wrong, of a run to `join` or not."""
        checked_device(self.device)
        if self.resume and self.out is None:
            raise InputError("--resume needs --out, the run to go on with")
        if join and self.out is None:
            raise InputError("--join needs --out, the run that the processes share")
        if self.out is not None and is_first():
            check_free(self.out, self.resume, self.overwrite, join)

    def samples_of(self, split: str) -> Split:
        """The data, of `--split` or else of this part."""
        root = self.data_root
        return load_data(self.data, split=self.split or split, samples=self.samples, root=root)

    def network(self, data: Split) -> Any:
        """The classifier, with the corrector behind it if one was named; it fits the data."""
        channels, height, _ = data.shape
        network = load_model(
            self.model,
            weights=self.weights,
            classes=data.classes,
            mean=numbers(self.mean, "--mean"),
            std=numbers(self.std, "--std"),
            channels=channels,
            size=height,
            seed=self.seed,
        )
        if self.corrector is not None:
            from classward.correction.corrector import Corrector
            from classward.models.corrected import Corrected

            network = Corrected(network, Corrector.load(self.corrector).network_)
        with judging(network, self.device):
            Judge(network, data, self.device)
        return network

    def surrogate(self, named: str, data: Split, option: str = "--surrogate") -> Any:
        """Another network that fits the data, of an `option` MODEL=WEIGHTS."""
        name, _, weights = named.partition("=")
        if name in models() and not weights:
            raise InputError(f"{option} {name} is untrained: give {name}=WEIGHTS")
        channels, height, _ = data.shape
        network = load_model(
            name,
            weights=weights or None,
            classes=data.classes,
            channels=channels,
            size=height,
            seed=self.seed,
        )
        with judging(network, self.device):
            Judge(network, data, self.device)
        return network

    @property
    def name(self) -> str:
        """The model as it was named."""
        name = self.model if self.weights is None else f"{self.model} ({self.weights.name})"
        return name if self.corrector is None else f"{name} + {self.corrector.name}"

    def folder(self, command: str) -> Path:
        """Where the run goes: `--out`, or the next free folder below runs/."""
        return self.out or next_free("runs", command)

    @property
    def run(self) -> dict[str, Any]:
        """The arguments every evaluation takes from here."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "device": self.device,
            "precision": self.precision,
        }

    def in_float32(self, command: str) -> None:
        """Refuse another precision in a command that has none."""
        if self.precision != "exact":
            raise InputError(f"--precision {self.precision}: {command} works in float32 alone")


def shared(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command, whose first argument is a `Common`, the options of `Common`."""
    _, *own = signature(command).parameters.values()
    common = list(signature(Common).parameters.values())

    @wraps(command)
    def with_common(**given: Any) -> int:
        rest = {key: given.pop(key) for key in [parameter.name for parameter in own]}
        asked = Common(**given)
        if "join" in rest:
            rest["join"] = rest["join"] or together() > 1
        asked.check(join=rest.get("join", False))
        return command(asked, **rest)

    only_named = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*common, *own)]
    with_common.__signature__ = signature(command).replace(parameters=only_named)  # type: ignore[attr-defined]
    with_common.__annotations__ = {p.name: p.annotation for p in only_named}
    return with_common


def numbers(text: str | None, option: str) -> list[float] | None:
    """Numbers separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} {text!r}: expected numbers like 0.5,0.5,0.5") from None


def radius(text: str, norm: str) -> float:
    """The radius an `--eps` stands for, as the ball of `norm` accepts it."""
    if "," in text:
        raise InputError(f"--eps {text!r}: one radius, such as 8/255")
    try:
        return ball(norm, text).eps
    except ValueError as error:
        raise InputError(f"--eps {text!r}: {error}") from None


def radii(text: str, norm: str) -> list[float]:
    """The radii that an `--eps` with commas stands for, each once."""
    return list(dict.fromkeys(radius(part, norm) for part in text.split(",")))


def settings(pairs: list[str] | None) -> dict[str, Any]:
    """The options that `--set key=value` stands for."""
    read: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {pair!r}: expected key=value, such as steps=50")
        if key.strip() in read:
            raise InputError(f"--set {key.strip()} is given twice")
        read[key.strip()] = read_option(value.strip())
    return read


def method(package: Any, name: str, pairs: list[str] | None, **given: Any) -> Any:
    """The method of that name with the options of `--set`."""
    return make(package, name, **{**given, **settings(pairs)})


def checked_device(device: str) -> str:
    """A device that is there."""
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise InputError(f"--device {device!r}: expected cpu, cuda or cuda:N") from None
    if kind not in {"cpu", "cuda"} or (kind == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"--device {device}: not available on this machine; use cpu")
    if device == "cuda" and together() > 1:
        torch.cuda.set_device(own_number())
    return device


def check_file(file: Path, *, overwrite: bool, option: str = "--out") -> None:
    """Refuse before the work a file that cannot be written after it; remove what died there."""
    if file.is_dir() or not file.parent.is_dir():
        raise InputError(f"{option} {file}: expected a file in a folder that is there")
    if file.exists() and not overwrite:
        raise InputError(f"{file}: is there already; pass --overwrite or another --out")
    sweep(file)


def record_of(run: Path) -> Record:
    """The record of a run: its own, or the headline attack's of an audit."""
    folder = RunFolder.open(run)
    return Record.open(run / HEADLINE if folder.kind == "audit" else run)


def records_of(runs: list[Path]) -> dict[str, Record]:
    """The records of several runs by the names of their folders, which must differ."""
    found: dict[str, Record] = {}
    for run in runs:
        if run.name in found:
            raise InputError(f"{run}: another run is named {run.name!r} too; rename one")
        found[run.name] = record_of(run)
    return found
