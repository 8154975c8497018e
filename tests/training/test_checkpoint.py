import json

import pytest
import torch
from torch import nn

from classward.attacks.pgd import PGD
from classward.core.errors import InputError
from classward.defenses.adversarial_training import AdversarialTraining
from classward.models.heads import LinearHead
from classward.models.network import Network
from classward.records.run_folder import RunFolder
from classward.training.checkpoint import (
    PLAIN,
    TENSORS,
    State,
    network_state,
    parts,
    read,
    restore,
    save,
    sweep,
)
from classward.training.step import Step


def network(features=4, scale=1.0):
    layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(features), nn.ReLU())
    made = Network(layers, LinearHead(features, 3))
    with torch.no_grad():
        for rows in made.state_dict().values():
            rows.fill_(scale)
    return made


def state(scale=1.0, *, average=True, steps=0, features=4):
    step = Step(network(features, scale), AdversarialTraining(attack=PGD()))
    made = State(
        step=step,
        optimizer=torch.optim.SGD(step.parameters(), lr=0.1, momentum=0.9, nesterov=True),
        average=network(features, 2 * scale) if average else None,
        order=torch.arange(10).flip(0),
        counts=torch.arange(9).view(3, 3),
        epoch=1,
        position=2,
        steps=steps,
        sums={"cross_entropy": 0.1 + 0.2},
        score=0.5,
        history=[{"epoch": 1, "loss": {"cross_entropy": 1 / 3}}],
    )
    step.network(torch.rand(5, 1, 2, features // 2)).sum().backward()
    made.optimizer.step()
    return made


def same(one, other):
    """Every part alike but Python's generator, which the run-time type checks draw from."""
    for part in TENSORS:
        torch.testing.assert_close(dict(one[part]), dict(other[part]), rtol=0, atol=0)
    assert all(one[part] == other[part] for part in PLAIN if part != "python_random")


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "run", "train", {}) as made:
        yield made


def test_names_all_parts():
    assert parts(state()).keys() == {*TENSORS, *PLAIN}


@pytest.mark.parametrize("average", [True, False])
def test_comes_back_as_it_was(folder, average):
    kept = state(average=average)
    before = parts(kept)
    save(folder, kept, ["last"])
    same(read(folder, "last"), before)
    other = state(scale=5.0, average=average)
    torch.rand(3)
    restore(other, read(folder, "last"))
    same(parts(other), before)
    assert (other.sums, other.score, other.history) == (kept.sums, kept.score, kept.history)


def test_best_and_last_may_be_one_file_and_nothing_else_is_kept(folder):
    for steps, names in [(1, ["best", "last"]), (2, ["last"]), (3, ["last"])]:
        save(folder, state(steps=steps), names)
        files = list(folder.path.glob("checkpoint-*"))
        assert len(files) == len(
            {folder.read_json(f"{n}.json")["content"]["file"] for n in ("best", "last")}
        )
    assert read(folder, "best")["schedule"]["steps"] == 1
    assert read(folder, "last")["schedule"]["steps"] == 3
    (folder.path / "checkpoint-0123.safetensors").write_bytes(b"left over by a kill")
    sweep(folder)
    assert len(list(folder.path.glob("checkpoint-*"))) == 2


def test_network_state_is_that_of_the_judged_network(folder):
    for average in (True, False):
        kept = state(average=average)
        save(folder, kept, ["best"])
        found = network_state(read(folder, "best"))
        torch.testing.assert_close(found, dict(kept.judged.state_dict()))


@pytest.mark.parametrize("part", [*TENSORS, *PLAIN])
def test_a_missing_part_is_refused(part):
    found = parts(state())
    del found[part]
    with pytest.raises(InputError, match=f"checkpoint lacks the part '{part}'"):
        restore(state(), found)


def test_another_network_is_refused():
    with pytest.raises(InputError, match="checkpoint does not fit the network: 'network.*'"):
        restore(state(), parts(state(features=6)))


def test_any_damage_is_refused_with_the_name_of_the_file(folder):
    save(folder, state(), ["last"])
    pointer = folder.path / "last.json"
    for path in (pointer, next(folder.path.glob("checkpoint-*"))):
        good = path.read_bytes()
        damaged = [good[: len(good) // 2], b"", good[:-1]]
        for position in range(0, len(good), max(1, len(good) // 60)):
            flipped = bytearray(good)
            flipped[position] ^= 1 << (position % 8)
            damaged.append(bytes(flipped))
        for data in damaged:
            if path == pointer and _means_the_same(data, good):
                continue
            path.write_bytes(data)
            with pytest.raises(InputError) as raised:
                read(folder, "last")
            message = str(raised.value)
            assert path.name in message and "\n" not in message and len(message) < 250
        path.write_bytes(good)
    read(folder, "last")


def _means_the_same(data, good):
    try:
        return json.loads(data) == json.loads(good)
    except ValueError:
        return False


def test_an_absent_file_is_named(folder):
    with pytest.raises(InputError, match="last.json"):
        read(folder, "last")
    save(folder, state(), ["last"])
    file = next(folder.path.glob("checkpoint-*"))
    file.unlink()
    with pytest.raises(InputError, match=f"{file.name}: not there, but last.json points to it"):
        read(folder, "last")
