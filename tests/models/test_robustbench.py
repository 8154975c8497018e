"""Models of RobustBench's zoo, by a stand-in of its package: nothing is downloaded."""

import sys
from enum import Enum
from types import ModuleType

import pytest
import torch
from torch import nn

from classward.core.errors import InputError, SystemFaultError
from classward.models.load import load_model

IMAGES = torch.rand(2, 1, 2, 2, generator=torch.Generator().manual_seed(0))


class Data(Enum):
    ten = "cifar10"
    hundred = "cifar100"


class Threat(Enum):
    inf = "Linf"
    two = "L2"


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 10))


@pytest.fixture
def asked(monkeypatch):
    """What the zoo was asked for."""
    calls = []

    def load_model(name, folder, dataset, threat):
        calls.append((name, dataset, threat))
        if name == "Absent":
            raise ConnectionError("no network\nat all")
        made = network()
        nn.init.ones_(made[1].weight)
        return made.train()

    zoo = ModuleType("robustbench.utils")
    names = {name: {"model": network} for name in ("Carmon2019", "Absent")}
    zoo.all_models = {
        Data.ten: {Threat.inf: names, Threat.two: {"Rice2020": {"model": network}}},
        Data.hundred: {Threat.inf: names},
    }
    zoo.DATASET_CLASSES = {Data.ten: 10, Data.hundred: 100}
    zoo.load_model = load_model
    monkeypatch.setitem(sys.modules, "robustbench", ModuleType("robustbench"))
    monkeypatch.setitem(sys.modules, "robustbench.utils", zoo)
    return calls


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("Carmon2019", ("Carmon2019", "cifar10", "Linf")),
        ("cifar10/L2/Rice2020", ("Rice2020", "cifar10", "L2")),
    ],
)
def test_a_published_model_comes_from_the_zoo_in_eval_mode(asked, name, call):
    model = load_model(f"robustbench:{name}")
    assert asked == [call] and not model.training
    assert torch.allclose(model(IMAGES)[:, 0] - model[1].bias[0], IMAGES.flatten(1).sum(1))


def test_own_weights_go_into_its_architecture_without_a_download(asked, tmp_path):
    trained = network()
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    model = load_model("robustbench:Carmon2019", weights=tmp_path / "w.pt")
    assert torch.equal(model(IMAGES), trained(IMAGES)) and asked == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Carmon2018", "Linf, has no model 'Carmon2018', the nearest is 'Carmon2019'"),
        ("cifar10/l2/Rice2020", "has no threat model 'l2', the nearest is 'L2'"),
        ("cifar/L2/Rice2020", "has no data set 'cifar', the nearest is 'cifar10'"),
    ],
)
def test_what_the_zoo_has_not_is_told_with_the_nearest(asked, name, said):
    with pytest.raises(InputError, match=said):
        load_model(f"robustbench:{name}")
    assert asked == []


def test_other_classes_than_the_published_are_refused(asked):
    with pytest.raises(InputError, match="have 10 classes, not 7"):
        load_model("robustbench:Carmon2019", classes=7)


def test_without_network_or_package_the_error_says_what_to_do(asked, monkeypatch):
    with pytest.raises(SystemFaultError, match=r"cannot be had \(no network\): give weights="):
        load_model("robustbench:Absent")
    monkeypatch.setitem(sys.modules, "robustbench.utils", None)
    with pytest.raises(
        InputError, match=r"robustbench\.utils cannot .*pip install robustbench"
    ):
        load_model("robustbench:Carmon2019")
