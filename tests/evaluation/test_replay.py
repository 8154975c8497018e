import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from classward.core.balls import Linf
from classward.core.errors import InvariantError
from classward.data.split import Split
from classward.evaluation.adapters.adapt import adapt
from classward.evaluation.run_attack import run_attack


def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).eval()


def data():
    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(images, torch.arange(20) % 4, list("abcd"), ids=torch.arange(20) + 100)


def far(model, images, labels):
    """Keeps its word on every sample but those of label 2."""
    return torch.where((labels == 2)[:, None, None, None], 1 - images, images)


def ragged(model, images, labels):
    return [[1], [2, 3]]


def broken(attack, folder=None, **more):
    with pytest.raises(InvariantError) as caught:
        run_attack(
            network(), adapt(attack, ball=Linf(0.1)), data(), batch_size=8, out=folder, **more
        )
    assert "\n" not in str(caught.value)
    return str(caught.value)


def bundle(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_the_bundle_holds_the_batch_and_what_came_back(tmp_path):
    said = broken(far, tmp_path / "run", seed=3)
    assert said.startswith("far left Linf(eps=0.1): sample 102 at")
    assert said.endswith(f"replay bundle: {tmp_path / 'run/replay.npz'}")
    made = bundle(tmp_path / "run/replay.npz")
    clean = data().batch(torch.arange(8))
    assert made["ids"].tolist() == list(range(100, 108))
    assert made["labels"].tolist() == [i % 4 for i in range(8)]
    assert np.array_equal(made["images"], clean.numpy())
    assert np.array_equal(made["returned"][2], 1 - clean[2].numpy())
    about = json.loads(str(made["about"]))
    assert about["settings"]["seed"] == 3 and about["settings"]["attack_name"] == "far"
    assert said.startswith(about["error"]) and made["restart"] == 0 and "targets" not in made


def test_the_bundle_replays(tmp_path):
    said = broken(far, tmp_path / "run")
    made = bundle(tmp_path / "run/replay.npz")
    about = json.loads(str(made["about"]))
    again = Split(
        made["images"], made["labels"], about["settings"]["class_names"], ids=made["ids"]
    )
    with pytest.raises(InvariantError) as caught:
        run_attack(network(), adapt(far, ball=Linf(0.1)), again, out=tmp_path / "again")
    assert str(caught.value).split(";")[0] == said.split(";")[0]


def test_clean_images_are_kept_as_they_were_before(tmp_path):
    class Writes:
        access, needs, ball = "gradient", frozenset(), Linf(0.1)

        def __call__(self, model, images, labels, **_):
            return images.add_(0.01)

    with pytest.raises(InvariantError, match=r"wrote into .*replay\.npz"):
        run_attack(network(), Writes(), data(), out=tmp_path / "run")
    made = bundle(tmp_path / "run/replay.npz")
    assert np.array_equal(made["images"], data().batch(torch.arange(20)).numpy())


@pytest.mark.parametrize(
    "returned", [ragged, lambda m, x, y: None, lambda m, x, y: object(), lambda m, x, y: "no"]
)
def test_what_is_no_array_is_left_out_or_text(tmp_path, returned):
    broken(returned, tmp_path / "run")
    made = bundle(tmp_path / "run/replay.npz")
    assert made.get("returned", np.array("")).dtype.kind == "U"
    assert {"images", "ids", "labels", "restart", "about"} <= made.keys()


def test_without_a_folder_it_is_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = Path(broken(far).rpartition(": ")[2])
    assert tmp_path in path.parents and bundle(path)["ids"][0] == 100


def test_a_budget_that_is_exceeded_is_one_too(tmp_path):
    class Greedy:
        access, needs, queries, ball = "scores", frozenset(), 1, Linf(0.1)

        def __call__(self, oracle, images, labels, **_):
            for _ in range(2):
                oracle(images, torch.arange(len(images)))

    with pytest.raises(InvariantError, match=r"budget is 1; replay bundle: .*replay\.npz"):
        run_attack(network(), Greedy(), data(), out=tmp_path / "run")
    assert len(bundle(tmp_path / "run/replay.npz")["ids"]) == 20


def test_a_run_that_broke_goes_on_once_the_attack_is_mended(tmp_path):
    calls = []

    def mended(model, images, labels):
        calls.append(len(images))
        return far(model, images, labels) if len(calls) == 1 else images

    broken(mended, tmp_path / "run")
    record = run_attack(
        network(),
        adapt(mended, ball=Linf(0.1)),
        data(),
        batch_size=8,
        out=tmp_path / "run",
        resume=True,
    )
    assert len(record) == 20
