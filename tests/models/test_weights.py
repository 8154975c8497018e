"""Files of weights: what is read, and a zoo of files that must be refused in one line."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from classward.core.errors import InputError, SystemFaultError
from classward.models.heads import UnitWeightHead
from classward.models.load import build, load_model
from classward.models.normalize import Normalize
from classward.models.weights import Weights, fill, read_weights, save_weights, tensors_digest

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network(**options):
    return build("small_cnn", seed=5, **options).eval()


def state(**changes):
    tensors = {name: value.clone() for name, value in network().state_dict().items()}
    return {name: v for name, v in (tensors | changes).items() if v is not None}


def overwritten(path, data):
    path.write_bytes(data)
    return path


class Gadget:
    """What a malicious pickle does: code of its own, run when the file is opened."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (Path(self.marker),)


def test_what_was_saved_is_read(tmp_path):
    saved = network(head=UnitWeightHead, mean=[0.25], std=[0.5])
    path = overwritten(tmp_path / "w.safetensors", save_weights(saved, {"size": 8, "a": [1]}))
    weights = read_weights(path)
    assert weights.about == {
        "size": 8,
        "a": [1],
        "head": "UnitWeightHead",
        "adaptive_losses": [],
        "width": 1.0,
    }
    assert weights.source == str(path)
    assert weights.tensors.keys() == saved.state_dict().keys()
    for name, tensor in saved.state_dict().items():
        assert torch.equal(weights.tensors[name], tensor)


def test_equal_weights_are_equal_bytes():
    first = save_weights(network(), {"a": 1, "b": 2, "c": 3})
    assert first == save_weights(network(), {"c": 3, "b": 2, "a": 1})
    assert first != save_weights(network(), {"c": 3, "b": 2, "a": 2})


def test_saving_leaves_the_layout_of_the_network_alone():
    made = network(channels=3).to(memory_format=torch.channels_last)
    assert save_weights(made) == save_weights(network(channels=3))
    assert not made.features.conv1.weight.is_contiguous()


def test_a_training_run_is_its_weights(tmp_path):
    overwritten(tmp_path / "weights.safetensors", save_weights(network()))
    assert torch.equal(load_model("small_cnn", weights=tmp_path)(IMAGES), network()(IMAGES))


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth", "th"])
def test_half_precision_becomes_float32_and_integers_stay(tmp_path, suffix):
    stored = {"a": torch.tensor([0.5]).half(), "b": torch.tensor([1.5]), "n": torch.tensor(3)}
    path = tmp_path / f"w.{suffix}"
    save_file(stored, path) if suffix == "safetensors" else torch.save(stored, path)
    tensors = read_weights(path).tensors
    assert [tensors[name].dtype for name in "abn"] == [torch.float32] * 2 + [torch.int64]
    assert [tensors[name].item() for name in "abn"] == [0.5, 1.5, 3]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        lambda tensors: {"model": tensors},
        lambda tensors: {"model_state_dict": {"state_dict": tensors}},
        lambda tensors: {f"module.{name}": value for name, value in tensors.items()},
    ],
    ids=["plain", "state_dict", "model", "nested", "module."],
)
def test_checkpoints_of_pytorch_are_unwrapped(tmp_path, wrap):
    torch.save(wrap(state()), tmp_path / "w.pt")
    loaded = load_model("small_cnn", weights=tmp_path / "w.pt")
    assert torch.equal(loaded(IMAGES), network()(IMAGES))


def test_counts_of_batches_and_normalisation_may_be_absent():
    module = nn.Sequential(Normalize([0.5], [0.5]), nn.BatchNorm2d(1))
    lacking = {"1.num_batches_tracked", "0.mean", "0.std"}
    tensors = {k: v.clone() for k, v in module.state_dict().items() if k not in lacking}
    tensors["1.running_mean"] += 2
    fill(module, Weights(tensors, {}, "w.pt"))
    assert module[1].running_mean.item() == 2
    assert module[0].mean.item() == 0.5


ZOO = {
    "absent": (lambda p: None, "w.pt", "no such file"),
    "folder": (lambda p: p.mkdir(), "run", "this folder holds no weights.safetensors"),
    "other suffix": (lambda p: p.write_text("x"), "w.txt", r"expected a \.safetensors, \.pt"),
    "empty": (lambda p: p.touch(), "w.safetensors", "truncated or not safetensors"),
    "empty pt": (lambda p: p.touch(), "w.pt", "truncated, or holds more than tensors"),
    "text": (lambda p: p.write_text("weights" * 9), "w.safetensors", "not safetensors"),
    "text pt": (lambda p: p.write_text("weights" * 9), "w.pt", "more than tensors"),
    "header of 2**63 bytes": (
        lambda p: p.write_bytes((2**63).to_bytes(8, "little") + b"{}"),
        "w.safetensors",
        "truncated or not safetensors",
    ),
    "shape beyond the file": (
        lambda p: p.write_bytes(header({"a": entry([2**40], [0, 2**42])})),
        "w.safetensors",
        "truncated or not safetensors",
    ),
    "overlap": (
        lambda p: p.write_bytes(header(dict.fromkeys("ab", entry([1], [0, 4]))) + b"abcd"),
        "w.safetensors",
        "truncated or not safetensors",
    ),
    "metadata of another kind": (
        lambda p: save_file(state(), p, {"classward": f"{tensors_digest(state(), '[3]')} [3]"}),
        "w.safetensors",
        "its metadata are not what classward writes",
    ),
    "metadata of no kind": (
        lambda p: save_file(state(), p, {"classward": f"{tensors_digest(state(), 'x')} x"}),
        "w.safetensors",
        "its metadata are not what classward writes",
    ),
    "metadata of another file": (
        lambda p: save_file(state(), p, {"classward": f"{tensors_digest({}, '{}')} {{}}"}),
        "w.safetensors",
        "damaged, its digest is wrong",
    ),
    "NaN": (
        lambda p: save_file(state(**{"head.linear.bias": torch.full([10], torch.nan)}), p),
        "w.safetensors",
        "'head.linear.bias' holds NaN or inf",
    ),
    "inf pt": (
        lambda p: torch.save(state(**{"head.linear.bias": torch.full([10], torch.inf)}), p),
        "w.pt",
        "'head.linear.bias' holds NaN or inf",
    ),
    "beyond float32": (
        lambda p: torch.save(state(a=torch.tensor(1e300, dtype=torch.float64)), p),
        "w.pt",
        "'a' holds NaN or inf",
    ),
    "no tensors": (lambda p: save_file({}, p), "w.safetensors", "none of its 0 names fits"),
    "other names": (
        lambda p: save_file({"../../x": torch.zeros(1)}, p),
        "w.safetensors",
        "none of its 1 names fits",
    ),
    "one name missing": (
        lambda p: save_file(state(**{"features.conv2.bias": None}), p),
        "w.safetensors",
        "lacks 'features.conv2.bias' of the model",
    ),
    "two names too many": (
        lambda p: save_file(state(extra=torch.zeros(1), more=torch.zeros(1)), p),
        "w.safetensors",
        r"'features.extra' \(and 1 more\) is not in the model",
    ),
    "name to break the line": (
        lambda p: save_file(state(**{"\n\x1b[31m" + "x" * 500: torch.zeros(1)}), p),
        "w.safetensors",
        r"'features.\\n\\x1b\[31mx*\.\.\.' is not in the model",
    ),
    "wrong shape": (
        lambda p: save_file(state(**{"features.hidden.bias": torch.zeros(65)}), p),
        "w.safetensors",
        r"'features.hidden.bias' has shape \(65,\), the model \(64,\)",
    ),
    "integers for weights": (
        lambda p: save_file(state(**{"features.hidden.bias": torch.arange(64)}), p),
        "w.safetensors",
        "'features.hidden.bias' is torch.int64, the model has torch.float32",
    ),
    "one tensor": (lambda p: torch.save(torch.zeros(3), p), "w.pt", "holds a Tensor, expected"),
    "a list": (lambda p: torch.save([torch.zeros(3)], p), "w.pt", "holds a list, expected"),
    "a number": (lambda p: torch.save(state(epoch=3), p), "w.pt", "'epoch' is no plain tensor"),
    "sparse": (
        lambda p: torch.save({"a": torch.eye(3).to_sparse()}, p),
        "w.pt",
        "'a' is no plain tensor",
    ),
    "larger than its storage": (
        lambda p: torch.save({"a": torch.zeros(1).half().expand(2**40)}, p),
        "w.pt",
        "'a' is no plain tensor",
    ),
    "held by itself": (lambda p: torch.save(endless(), p), "w.pt", "'model' is no plain"),
    "compressed": (lambda p: compress(state(), p), "w.pt", "is compressed"),
}


def entry(shape, offsets):
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


def header(table):
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text


def endless():
    held = {}
    held["model"] = held
    return held


def compress(tensors, path):
    file = io.BytesIO()
    torch.save({name: torch.zeros(10000) for name in tensors}, file)
    with zipfile.ZipFile(file) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name in plain.namelist():
            z.writestr(name, plain.read(name))


@pytest.mark.parametrize("kind", ZOO)
def test_hostile_files_are_refused_in_one_line(kind, tmp_path):
    make, name, said = ZOO[kind]
    make(tmp_path / name)
    with pytest.raises(InputError, match=said) as caught:
        load_model("small_cnn", weights=tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"weights {tmp_path / name}: ")
    assert message.isprintable() and len(message.replace(str(tmp_path), "")) < 160


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_code_in_a_file_is_never_run(tmp_path, name, legacy):
    marker = tmp_path / "ran"
    held = {"state_dict": state(), "x": Gadget(marker)}
    torch.save(held, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match="truncated"):
        load_model("small_cnn", weights=tmp_path / name)
    assert not marker.exists()
    file = io.BytesIO((tmp_path / name).read_bytes())
    torch.load(file, weights_only=False)  # the gadget is a real one
    assert marker.exists()


@pytest.mark.parametrize("kind", ["safetensors", "pt", "th"])
def test_truncated_anywhere_is_refused(tmp_path, kind):
    whole = tmp_path / "whole"
    if kind == "safetensors":
        whole.write_bytes(save_weights(network()))
    else:
        torch.save(state(), whole, _use_new_zipfile_serialization=kind == "pt")
    data = whole.read_bytes()
    for length in np.linspace(0, len(data) - 1, 40).astype(int).tolist():
        path = overwritten(tmp_path / f"w.{kind}", data[:length])
        with pytest.raises(InputError, match=r"w\.\w+: truncated"):
            read_weights(path)


def test_no_flipped_bit_changes_an_answer(tmp_path):
    clean = network(head=UnitWeightHead)
    data, answer = save_weights(clean, {"size": 8}), clean(IMAGES)
    rng, refused = np.random.default_rng(0), 0
    header_bits = 8 * (8 + int.from_bytes(data[:8], "little"))
    places = [*rng.integers(header_bits, size=80), *rng.integers(8 * len(data), size=40)]
    for place in map(int, places):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        try:
            loaded = load_model(
                "small_cnn", weights=overwritten(tmp_path / "w.safetensors", flipped)
            )
        except InputError:
            refused += 1
        else:
            assert torch.equal(loaded(IMAGES), answer), place
    assert refused > 100


def test_a_file_that_may_not_be_read_is_a_fault_of_the_system(tmp_path, monkeypatch):
    path = overwritten(tmp_path / "w.pt", b"")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SystemFaultError, match=r"w\.pt: cannot be read \(Permission denied\)"):
        read_weights(path)
