"""Models from outside: of torchvision, timm, RobustBench, or a function in a Python file."""

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from classward.core.errors import ClasswardError, InputError, SystemFaultError
from classward.core.types import Classifier
from classward.core.user_file import user_function
from classward.models.network import first_weights
from classward.models.normalize import MeanAndStd, Normalize
from classward.models.weights import Weights, fill, read_weights, weights_file


class Function(nn.Module):
    """A plain callable, images to logits, as a module without layers."""

    def __init__(self, call: Classifier) -> None:
        super().__init__()
        self.call = call

    def forward(self, images: Tensor) -> Tensor:
        """What the callable returns."""
        return self.call(images)


def load_external(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
    untrained: bool = False,
) -> nn.Module:
    """Make the model of `LIBRARY:NAME` or `FILE.py:FUNCTION`, in eval mode.

    Args:
        name: Which model. LIBRARY is `torchvision`, `timm` or `robustbench`; of the last, NAME
            is that of an l-inf model for CIFAR-10, or such as `cifar100/L2/NAME`.
        weights: Its weights. Without them a library's model has its published ones.
        classes: Number of classes, of a library's model alone.
        mean: Mean of each channel; by default that of a library's published weights, and none
            for a function, whose model takes images in [0, 1].
        std: Standard deviation of each channel.
        seed: Seed of what the weights leave random.
        untrained: Leave out a library's published weights.

    Raises:
        InputError: If there is no such model, or it cannot be made as asked (one line).
        SystemFaultError: If published weights cannot be downloaded.
    """
    source, _, made_by = name.rpartition(":")
    usual: MeanAndStd | None = None
    stored = None if weights is None or source.endswith(".py") else read_weights(weights)
    with first_weights(seed), _in_one_line(name):
        if source == "torchvision":
            model, usual = _torchvision(made_by, stored, classes, untrained)
        elif source == "timm":
            model, usual = _timm(made_by, stored, classes, untrained)
        elif source == "robustbench":
            model = _robustbench(made_by, stored, classes, untrained)
        elif source.endswith(".py"):
            model = _from_file(source, made_by, weights)
        else:
            raise InputError(
                f"model '{name}': expected torchvision:NAME, timm:NAME, robustbench:NAME or "
                "FILE.py:FUNCTION"
            )
    if stored is not None:
        fill(model, stored)
    made = _normalized(name, model, mean, std, usual)
    return made if source.endswith(".py") else made.eval()  # a user's mode is part of the model


def needs_weights(name: str) -> bool:
    """Whether it is a function of a Python file that cannot be called without weights."""
    file, _, function = name.rpartition(":")
    if not file.endswith(".py"):
        return False
    with first_weights(0), _in_one_line(name):  # a file may draw numbers when it is run
        return _takes_weights(user_function(file, function)) == "always"


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of `names`."""
    return difflib.get_close_matches(name, names, n=1, cutoff=0)[0]


def _normalized(
    name: str,
    model: nn.Module,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    usual: MeanAndStd | None,
) -> nn.Module:
    if (mean is None) != (std is None):
        raise InputError("mean and std: give both or neither")
    chosen = usual if mean is None or std is None else (mean, std)
    if chosen is None:
        return model
    own = [layer for layer in model.modules() if isinstance(layer, Normalize)]
    if [str(layer) for layer in own] == [str(Normalize(*chosen))]:
        return model
    if own:
        raise InputError(f"{name} normalises its images itself: leave mean and std out")
    return nn.Sequential(Normalize(*chosen), model)


def _torchvision(
    name: str, stored: Weights | None, classes: int | None, untrained: bool
) -> tuple[nn.Module, MeanAndStd]:
    zoo = _imported("torchvision.models")
    _check_name("torchvision", name, zoo.list_models(module=zoo))
    published = zoo.get_model_weights(name).DEFAULT
    transforms, count = published.transforms(), len(published.meta["categories"])
    if stored is None and not untrained:
        _check_classes(f"torchvision:{name}", count, classes)
        model = _downloaded(lambda: zoo.get_model(name, weights=published))
    else:
        make = partial(zoo.get_model, name, weights=None)
        model = _of_classes(make, stored, classes)
    return model, (transforms.mean, transforms.std)


def _timm(
    name: str, stored: Weights | None, classes: int | None, untrained: bool
) -> tuple[nn.Module, MeanAndStd]:
    timm = _imported("timm")
    if not timm.is_model(name):
        _check_name("timm", name, timm.list_models())
    if stored is None and not untrained:
        model = _downloaded(lambda: timm.create_model(name, pretrained=True))
        _check_classes(f"timm:{name}", model.num_classes, classes)
    else:
        make = partial(timm.create_model, name, pretrained=False)
        model = _of_classes(make, stored, classes)
    return model, (model.pretrained_cfg["mean"], model.pretrained_cfg["std"])


def _robustbench(
    name: str, stored: Weights | None, classes: int | None, untrained: bool
) -> nn.Module:
    """Models of the zoo take images in [0, 1]: what normalises is in them."""
    zoo = _imported("robustbench.utils", "robustbench")
    data, threat, named = name.split("/") if name.count("/") == 2 else ("cifar10", "Linf", name)
    of_data = {kind.value: models for kind, models in zoo.all_models.items()}
    _check_name("robustbench", data, list(of_data), "data set")
    of_threat = {kind.value: models for kind, models in of_data[data].items()}
    _check_name(f"robustbench, {data},", threat, list(of_threat), "threat model")
    _check_name(f"robustbench, {data} {threat},", named, list(of_threat[threat]))
    counts = {kind.value: count for kind, count in zoo.DATASET_CLASSES.items()}
    _check_classes(f"robustbench:{name}", counts[data], classes)
    if stored is not None or untrained:
        return of_threat[threat][named]["model"]()
    folder = Path(torch.hub.get_dir(), "robustbench")
    return _downloaded(lambda: zoo.load_model(named, folder, data, threat))


def _of_classes(make: Callable[..., Any], stored: Weights | None, classes: int | None) -> Any:
    """Make a library's model with as many classes as asked, by default as the weights have."""
    model = make() if classes is None else make(num_classes=classes)
    if stored is None:
        return model
    matrices = [name for name, value in model.state_dict().items() if value.ndim >= 2]
    last = stored.tensors.get(matrices[-1])
    return model if classes is not None or last is None else make(num_classes=len(last))


def _imported(library: str, package: str = "classward[vision]") -> Any:
    try:
        return importlib.import_module(library)
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"{library} cannot be imported ({_first_line(error)}): pip install "
            f"{package}, the build that fits torch {torch.__version__}"
        ) from error


def _downloaded(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # each library has its own for a missing network
        raise SystemFaultError(
            f"published weights cannot be had ({_first_line(error)}): give weights= a file"
        ) from error


def _check_name(library: str, name: str, names: list[str], what: str = "model") -> None:
    if name not in names:
        near = nearest(name, names)
        raise InputError(f"{library} has no {what} '{name}', the nearest is '{near}'")


def _check_classes(name: str, count: int, asked: int | None) -> None:
    if asked not in (None, count):
        raise InputError(f"published weights of {name} have {count} classes, not {asked}")


def _from_file(file: str, function: str, weights: str | Path | None) -> nn.Module:
    name = f"{file}:{function}"
    make = user_function(file, function)
    takes = _takes_weights(make)
    if weights is None and takes == "always":
        raise InputError(f"{name} takes weights: pass weights= (--weights FILE)")
    passed = (
        {} if weights is None or takes == "never" else {"weights": str(weights_file(weights))}
    )
    made: Any = make(**passed)
    if not callable(made):
        raise InputError(f"{name} returned a {type(made).__name__}, expected an nn.Module")
    model = made if isinstance(made, nn.Module) else Function(cast(Classifier, made))
    if weights is not None and takes == "never":
        fill(model, read_weights(weights))
    return model


def _takes_weights(function: Callable[..., Any]) -> Literal["always", "if given", "never"]:
    takes = signature(function).parameters.get("weights")
    if takes is None:
        return "never"
    return "always" if takes.default is Parameter.empty else "if given"


@contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    try:
        yield
    except ClasswardError:
        raise
    except Exception as error:  # whatever code from outside raises
        raise InputError(f"{name}: {type(error).__name__}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:90]
