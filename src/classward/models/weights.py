"""Weights in files: safetensors, or PyTorch files that hold nothing but tensors.

No code of a file is ever run. Published files are trusted to be whole where the format says so;
those written here carry a digest besides, for no format of tensors notices a flipped bit.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from classward.core.errors import InputError, SystemFaultError
from classward.models.network import Network
from classward.models.normalize import Normalize

RUN_FILE = "weights.safetensors"  # in the folder of a training run
OURS = "classward"  # the one metadata key of the files written here
WRAPPERS = ("state_dict", "model", "model_state_dict")  # where checkpoints keep the weights


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Attributes:
        tensors: Name -> float32 or integer tensor; all finite.
        about: What `save_weights` was told of them; empty for a file of other origin.
        source: The file, as it was named.
    """

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    source: str


def save_weights(network: nn.Module, about: Mapping[str, Any] | None = None) -> bytes:
    """Bytes of a safetensors file; equal weights and equal `about` give equal bytes.

    Args:
        network: Whose parameters and buffers to keep.
        about: JSON values to keep with them; of "size" and "shape", `load_model` makes use.
            The class of the head, the adaptive losses and the width are added.
    """
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    known = dict(about or {})
    if isinstance(network, Network):
        known["head"] = type(network.head).__name__
        known["adaptive_losses"] = list(network.adaptive_losses)
        known["width"] = network.width
    text = json.dumps(known, sort_keys=True, allow_nan=False)
    # One key, for safetensors writes several in an order that changes from run to run.
    return save(tensors, {OURS: f"{tensors_digest(tensors, text)} {text}"})


def tensors_digest(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """SHA-256, as hexadecimal digits, of names, types, shapes and values, and of `text`."""
    summed = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        summed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        summed.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return summed.hexdigest()


def weights_file(path: str | Path) -> Path:
    """The file itself, or the one in the folder of a training run.

    Raises:
        InputError: If there is none.
    """
    file = Path(path)
    if file.is_dir() and not (file / RUN_FILE).is_file():
        raise InputError(f"weights {path}: this folder holds no {RUN_FILE}")
    file = file / RUN_FILE if file.is_dir() else file
    if not file.is_file():
        raise InputError(f"weights {path}: no such file")
    return file


def read_weights(path: str | Path) -> Weights:
    """Read a .safetensors, .pt, .pth or .th file, or the weights of a training run.

    Half-precision values become float32; integers stay. A state dict may lie under
    "state_dict", "model" or "model_state_dict", and its names may all begin with "module.".

    Raises:
        InputError: If the file is absent, damaged, holds other things, or NaN or inf.
        SystemFaultError: If it may not be read.
    """
    file, where = weights_file(path), f"weights {path}"
    try:
        file.open("rb").close()
    except OSError as error:
        raise SystemFaultError(f"{where}: cannot be read ({error.strerror})") from error
    if file.suffix == ".safetensors":
        stored, about = _read_safetensors(file, where)
    elif file.suffix in (".pt", ".pth", ".th"):
        stored, about = _read_torch(file, where), {}
    else:
        raise InputError(f"{where}: expected a .safetensors, .pt, .pth or .th file")
    prefix = "module." if all(name.startswith("module.") for name in stored) else ""
    tensors: dict[str, Tensor] = {}
    for name, value in stored.items():
        kept = value.float() if value.is_floating_point() else value
        if not kept.isfinite().all():
            raise InputError(f"{where}: {shown(name)} holds NaN or inf")
        tensors[name.removeprefix(prefix)] = kept
    return Weights(tensors, about, str(path))


def _read_safetensors(file: Path, where: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            text = (opened.metadata() or {}).get(OURS)
    except SafetensorError as error:
        raise InputError(f"{where}: truncated or not safetensors") from error
    if text is None:
        return tensors, {}
    digest, _, about = text.partition(" ")
    if digest != tensors_digest(tensors, about):
        raise InputError(f"{where}: damaged, its digest is wrong; copy or train it again")
    try:
        return tensors, dict(json.loads(about))
    except (ValueError, TypeError):
        raise InputError(f"{where}: its metadata are not what classward writes") from None


def _read_torch(file: Path, where: str) -> dict[str, Tensor]:
    try:
        packed = zipfile.is_zipfile(file) and _unpacked(file) > file.stat().st_size
        held = {} if packed else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises is not documented
        raise InputError(
            f"{where}: truncated, or holds more than tensors ({type(error).__name__})"
        ) from error
    if packed:
        raise InputError(f"{where}: is compressed, which torch.save never does")
    for _ in WRAPPERS:
        inner = [key for key in WRAPPERS if isinstance(held, dict) and key in held]
        held = held[inner[0]] if inner else held
    if not isinstance(held, dict):
        raise InputError(f"{where}: holds a {type(held).__name__}, expected a state dict")
    for name, value in held.items():
        if not _is_plain(value):
            raise InputError(f"{where}: {shown(name)} is no plain tensor of a state dict")
    return {str(name): value.detach() for name, value in held.items()}


def _unpacked(file: Path) -> int:
    with zipfile.ZipFile(file) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _is_plain(value: object) -> bool:
    """Dense, and no larger than what backs it: a view can claim any size."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_quantized:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def fill(module: nn.Module, weights: Weights) -> None:
    """Put the weights into a module, all of them and nothing but them.

    Two kinds of buffer may be absent: counts of batches, which no answer depends on, and the
    mean and std of `Normalize`, which published files lack.

    Raises:
        InputError: If a name is missing or unknown, or a shape or kind differs; it is named.
    """
    where, given = f"weights {weights.source}", weights.tensors
    own = {k: v for k, v in module.state_dict().items() if isinstance(v, Tensor)}
    may_lack = _may_lack(module)
    if not own.keys() & given.keys() - may_lack:
        raise InputError(f"{where}: none of its {len(given)} names fits the model")
    if missing := [name for name in own if name not in given and name not in may_lack]:
        raise InputError(f"{where}: lacks {shown(missing[0])}{_more(missing)} of the model")
    if unknown := [name for name in given if name not in own]:
        raise InputError(f"{where}: {shown(unknown[0])}{_more(unknown)} is not in the model")
    for name, value in given.items():
        if value.shape != own[name].shape:
            raise InputError(
                f"{where}: {shown(name)} has shape {tuple(value.shape)}, the model "
                f"{tuple(own[name].shape)}: pass classes=, channels=, size= or width="
            )
        if value.is_floating_point() != own[name].is_floating_point():
            raise InputError(
                f"{where}: {shown(name)} is {value.dtype}, the model has {own[name].dtype}"
            )
    module.load_state_dict(module.state_dict() | given)


def _may_lack(module: nn.Module) -> set[str]:
    lacking = {name for name in module.state_dict() if name.endswith("num_batches_tracked")}
    for path, layer in module.named_modules():
        if isinstance(layer, Normalize):
            lacking |= {f"{path}.{name}".lstrip(".") for name in ("mean", "std")}
    return lacking


def shown(name: object) -> str:
    """A name of unknown origin, fit for one line."""
    text = ascii(name)
    return text if len(text) <= 60 else f"{text[:57]}...'"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
