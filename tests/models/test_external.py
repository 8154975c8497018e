"""Models from a Python file, torchvision and timm; the two libraries may be absent."""

import os
import sys

import pytest
import torch
from torch import nn

from classward.core.errors import InputError, SystemFaultError
from classward.models.heads import LinearHead, PlainHead, UnitWeightHead
from classward.models.load import build, load_model
from classward.models.network import first_weights
from classward.models.weights import save_weights

IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))

FILE = """
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from classward.models.small_cnn import small_cnn

@dataclass
class Options:
    classes: "int" = 3

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, Options().classes))

def plain():
    return lambda images: images.flatten(1)[:, :3]

def reads(weights):
    network = net()
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network

def may_read(weights=None):
    return net() if weights is None else reads(weights)

def breaks():
    raise RuntimeError("first line\\nsecond line")

def number():
    return 3

def wants(depth):
    return net()

def narrow():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))

def may_read_narrow(weights=None):
    return narrow() if weights is None else torch.load(weights, weights_only=True)

def headed():
    return small_cnn(size=4, classes=3, mean=[0.25], std=[0.5])

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(16, 3))

bound = partial(wants, 5)
network = small_cnn
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def trained(tmp_path):
    """Some weights for `net`, and what they answer."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    torch.save(network.state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt", network(IMAGES)


@pytest.mark.parametrize("function", ["net", "plain", "may_read", "Net", "bound"])
def test_a_function_of_a_file_makes_a_model(file, function):
    before = torch.random.get_rng_state()
    model = load_model(f"{file}:{function}", seed=3)
    assert isinstance(model, nn.Module)
    assert model(IMAGES).shape == (3, 3)
    assert model.training  # as the function returned it
    assert torch.equal(load_model(f"{file}:{function}", seed=3)(IMAGES), model(IMAGES))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("function", ["net", "reads", "may_read"])
def test_weights_are_passed_or_put_in(file, trained, function):
    weights, answer = trained
    assert torch.equal(load_model(f"{file}:{function}", weights=weights)(IMAGES), answer)


def test_a_training_run_is_put_in_too(file, tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    (tmp_path / "weights.safetensors").write_bytes(save_weights(network))
    loaded = load_model(f"{file}:net", weights=tmp_path)
    assert torch.equal(loaded(IMAGES), network(IMAGES))


@pytest.mark.parametrize("function", ["net", "plain"])
def test_normalisation_goes_in_front(file, function):
    bare = load_model(f"{file}:{function}")
    model = load_model(f"{file}:{function}", mean=[0.25], std=[0.5])
    torch.testing.assert_close(model(IMAGES), bare((IMAGES - 0.25) / 0.5))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("{file}:nett", {}, "net.py has no function 'nett', the nearest is 'net'"),
        ("{file}x.py:net", {}, "netx.py: no such Python file"),
        ("{file}", {}, "timm:NAME, robustbench:NAME or FILE.py:FUNCTION"),
        ("torchvison:resnet18", {}, "expected torchvision:NAME, timm:NAME, robustbench:NAME"),
        ("{file}:breaks", {}, "net.py:breaks: RuntimeError: first line$"),
        ("{file}:number", {}, "net.py:number returned a int, expected an nn.Module"),
        ("{file}:wants", {}, "TypeError: .* missing 1 required positional argument: 'depth'"),
        ("{file}:reads", {}, "net.py:reads takes weights: pass weights="),
        ("{file}:reads", {"weights": "no.pt"}, "weights no.pt: no such file"),
        ("{file}:net", {"weights": "no.pt"}, "weights no.pt: no such file"),
        ("{file}:net", {"mean": [0.5]}, "mean and std: give both or neither"),
        ("{file}:network", {"mean": [0.5], "std": [0.5]}, "normalises its images itself"),
        ("{file}:Options", {}, "returned a Options, expected an nn.Module"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(file, name, options, said):
    name = name.format(file=str(file).removesuffix(".py") if "x.py" in name else file)
    with pytest.raises(InputError, match=said) as caught:
        load_model(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", ["narrow", "may_read_narrow", "headed"])
@pytest.mark.parametrize(("head", "classes"), [(UnitWeightHead, 4), (LinearHead, 3)])
def test_what_is_trained_comes_back_from_its_run(file, tmp_path, function, head, classes):
    name = f"{file}:{function}"
    network = build(name, classes=classes, channels=1, size=4, seed=3, head=head)
    assert type(network.head) is head and network.training
    network.adaptive_losses = ("margin",)
    about = {"model": name, "channels": 1, "size": 4}
    (tmp_path / "weights.safetensors").write_bytes(save_weights(network, about))
    loaded = load_model(name, weights=tmp_path)
    assert torch.equal(loaded(IMAGES), network.eval()(IMAGES))
    assert loaded.adaptive_losses == ("margin",) and not loaded.training
    with pytest.raises(InputError, match=f"made with classes={classes}, not 9"):
        load_model(name, weights=tmp_path, classes=9)


def test_a_head_of_the_file_itself_comes_back(file, tmp_path):
    file.write_text(
        FILE + "from classward.models.heads import LinearHead\n"
        "from classward.models.network import Network\n"
        "class Own(LinearHead):\n    pass\n"
        "def owned():\n    return Network(nn.Flatten(), Own(16, 3))\n"
    )
    network = build(f"{file}:owned", channels=1, size=4, seed=3)
    about = {"channels": 1, "size": 4}
    (tmp_path / "weights.safetensors").write_bytes(save_weights(network, about))
    loaded = load_model(f"{file}:owned", weights=tmp_path)
    assert type(loaded.head).__name__ == "Own"
    assert torch.equal(loaded(IMAGES), network(IMAGES))


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        ("plain", {}, "plain has no last linear layer to put a head in place of"),
        ("reads", {}, "reads takes weights: pass weights="),
        ("narrow", {"size": 5}, r"narrow does not take images of shape \(1, 5, 5\)"),
        ("narrow", {"classes": 4}, "narrow has 3 classes, not 4"),
        ("narrow", {"mean": [0.5]}, "give both or neither"),
        ("headed", {"mean": [0.5], "std": [0.5]}, "normalises its images itself"),
        ("narrow", {"width": 0.5}, "has layers of its own: leave width out"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(file, function, options, said):
    with pytest.raises(InputError, match=said) as caught:
        build(f"{file}:{function}", **{"channels": 1, "size": 4} | options)
    assert "\n" not in str(caught.value)


def test_first_weights_of_a_new_head_are_of_another_seed_than_those_of_the_layers(file):
    network = build(f"{file}:narrow", classes=5, channels=1, size=4, seed=3, head=PlainHead)
    with first_weights(4):
        assert torch.equal(network.head.weight, PlainHead(5, 5).weight)


def test_weights_of_other_layers_are_refused(file, tmp_path):
    torch.save({"1.weight": torch.zeros(4, 16), "1.bias": torch.zeros(3)}, tmp_path / "w.pt")
    with pytest.raises(
        InputError, match=r"'1.weight' has shape \(4, 16\), the model \(3, 16\)"
    ):
        load_model(f"{file}:net", weights=tmp_path / "w.pt")
    with pytest.raises(InputError, match="none of its 2 names fits the model"):
        load_model(f"{file}:plain", weights=tmp_path / "w.pt")


@pytest.mark.parametrize("text", ["def net(:", "raise ValueError('a\\nb')", "import no_such"])
def test_a_file_that_does_not_import_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(InputError, match=r"net\.py:net: \w+Error: ") as caught:
        load_model(f"{file}:net")
    assert "\n" not in str(caught.value)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Make a library importable whose text is given, and forget it afterwards."""

    def write(name, text):
        path = tmp_path / "lib" / (name.replace(".", os.sep) + ".py")
        path.parent.mkdir(parents=True)
        path.write_text(text)
        monkeypatch.syspath_prepend(tmp_path / "lib")
        for loaded in [key for key in sys.modules if key.split(".")[0] == name.split(".")[0]]:
            monkeypatch.delitem(sys.modules, loaded)

    yield write
    for loaded in [key for key in sys.modules if key.split(".")[0] in ("torchvision", "timm")]:
        if str(tmp_path) in str(getattr(sys.modules[loaded], "__file__", None) or tmp_path):
            del sys.modules[loaded]


@pytest.mark.parametrize("name", ["torchvision.models", "timm"])
@pytest.mark.parametrize(
    "text", ["import no_such_library", "raise RuntimeError('operator a::b is missing')"]
)
def test_a_library_that_does_not_import_is_said(library, name, text):
    library(name, text)
    with pytest.raises(
        InputError, match=r"cannot be imported \(.*\): pip install classward\[vision\]"
    ) as caught:
        load_model(f"{name.split('.')[0]}:resnet18")
    assert "\n" not in str(caught.value)


TORCHVISION = """
from types import SimpleNamespace
from torch import nn

MEAN_AND_STD = SimpleNamespace(mean=[0.25], std=[0.5])
PUBLISHED = SimpleNamespace(meta={"categories": ["a", "b"]}, transforms=lambda: MEAN_AND_STD)

def list_models(module):
    return ["tiny"]

def get_model_weights(name):
    return SimpleNamespace(DEFAULT=PUBLISHED)

def get_model(name, weights=None, num_classes=2):
    if weights is PUBLISHED:
        raise OSError("name or service\\nnot known")
    return nn.Sequential(nn.Flatten(), nn.Linear(16, num_classes))
"""

TIMM = """
from torch import nn

def is_model(name):
    return name == "tiny"

def list_models():
    return ["tiny"]

def create_model(name, pretrained, num_classes=2):
    if pretrained:
        raise OSError("name or service\\nnot known")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, num_classes))
    model.pretrained_cfg = {"mean": (0.25,), "std": (0.5,)}
    return model
"""


@pytest.mark.parametrize(
    ("source", "module", "text"),
    [("torchvision", "torchvision.models", TORCHVISION), ("timm", "timm", TIMM)],
)
class TestLibraries:
    def test_model_is_sized_by_its_weights_and_normalised_as_published(
        self, library, trained, source, module, text
    ):
        library(module, text)
        weights, _ = trained
        model = load_model(f"{source}:tiny", weights=weights)
        linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        linear.load_state_dict(torch.load(weights))
        torch.testing.assert_close(model(IMAGES), linear((IMAGES - 0.25) / 0.5))
        other = load_model(f"{source}:tiny", weights=weights, mean=[0.0], std=[1.0], classes=3)
        torch.testing.assert_close(other(IMAGES), linear(IMAGES))
        assert not model.training

    def test_is_trained_from_first_weights_and_comes_back(
        self, library, tmp_path, source, module, text
    ):
        library(module, text)
        name = f"{source}:tiny"
        network = build(name, classes=4, channels=1, size=4, head=UnitWeightHead, seed=5)
        assert network.features[0].mean.tolist() == [0.25]  # as the library publishes it
        assert network.head.prototypes().shape == (4, 16)
        network.head.weight.data.mul_(3)
        about = {"model": name, "channels": 1, "size": 4}
        (tmp_path / "weights.safetensors").write_bytes(save_weights(network, about))
        loaded = load_model(name, weights=tmp_path)
        assert type(loaded.head) is UnitWeightHead
        assert torch.equal(loaded(IMAGES), network(IMAGES))

    def test_another_number_of_classes_is_refused(self, library, trained, source, module, text):
        library(module, text)
        with pytest.raises(InputError, match=r"shape \(3, 16\), the model \(5, 16\): pass cl"):
            load_model(f"{source}:tiny", weights=trained[0], classes=5)

    def test_unknown_names_are_refused_with_the_nearest(self, library, source, module, text):
        library(module, text)
        with pytest.raises(InputError, match="has no model 'tinny', the nearest is 'tiny'"):
            load_model(f"{source}:tinny")

    def test_without_a_network_published_weights_are_a_fault_of_the_system(
        self, library, source, module, text
    ):
        library(module, text)
        with pytest.raises(SystemFaultError, match=r"cannot be had \(name or service\): give"):
            load_model(f"{source}:tiny")


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_a_library_at_hand_gives_features_and_a_head(name):
    pytest.importorskip(name.partition(":")[0])
    network = build(name, classes=10, size=32, head=UnitWeightHead, seed=1).eval()
    images = torch.rand(2, 3, 32, 32)
    assert network.features(images).shape == (2, 512)
    assert network(images).shape == (2, 10)
