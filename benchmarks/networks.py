"""The networks attacks are timed on: published ones where they are at hand, else digits."""

import os
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError
from classward.core.types import Images, Labels
from classward.data.load import load_data
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.base import Defense
from classward.defenses.standard import Standard
from classward.models.heads import LinearHead
from classward.models.load import load_model
from classward.models.network import Network
from classward.models.normalize import Normalize
from classward.training.schedule import Recipe
from classward.training.train import train

Subject = tuple[str, nn.Module, Images, Labels, float]  # name, network, images, labels, eps


def subjects(samples: int, device: str = "cpu") -> dict[str, Subject]:
    """Networks, natural and robust, with images of the test split and a radius, on the device.

    With real data in the folder that CLASSWARD_DATA names: ResNet-20 at 1/255, of which a fifth
    stands; two networks of four convolutions on Fashion-MNIST, trained here: a natural one, of
    which a fifth stands, and a robust one, of which most does; a tiny robust network on MNIST
    at 0.3, of which three quarters stand; and one on CIFAR-10 at 4/255, of which a third
    stands. Else two small networks, trained here on the embedded digits.
    """
    root = os.environ.get("CLASSWARD_DATA")
    found = _digits(samples) if root is None else _published(samples, root)
    return {
        kind: (name, network.to(device), images.to(device), labels.to(device), eps)
        for kind, (name, network, images, labels, eps) in found.items()
    }


def data_of(images: Images, labels: Labels) -> Split:
    """The samples as `run_attack` takes them."""
    return Split(images.cpu(), labels.cpu(), [str(i) for i in range(10)])


def _published(samples: int, root: str) -> dict[str, Subject]:
    weights = Path(root, "models")
    data = load_data("cifar10", samples=f"first:{samples}", root=root)
    natural = load_model("resnet20", weights=weights / "cifar10_resnet20_std.safetensors")
    digits = load_data("mnist", samples=f"first:{samples}", root=root)
    clothes = _rows(load_data("fashion_mnist", samples=f"first:{samples}", root=root))
    robust = _sequential(load_file(weights / "mnist_cnn_a_adv.safetensors"))
    tensors = load_file(weights / "cifar10_cnn_a_adv.safetensors")
    normalize = Normalize([0.485, 0.456, 0.406], [0.225] * 3)
    middling = nn.Sequential(normalize, _sequential(tensors)).eval()
    return {
        "natural": ("ResNet-20, CIFAR-10", natural, *_rows(data), 1 / 255),
        "conv": ("4-conv CNN, Fashion-MNIST", _four(Standard(), root), *clothes, 10 / 255),
        "conv_robust": (
            "robust 4-conv CNN, Fashion-MNIST",
            _four(AdversarialTraining(), root),
            *clothes,
            8 / 255,
        ),
        "robust": ("small robust CNN, MNIST", robust, *_rows(digits), 0.3),
        "middling": ("small robust CNN, CIFAR-10", middling, *_rows(data), 4 / 255),
    }


def _four(defense: Defense, root: str) -> nn.Module:
    """Four convolutions, as TRADES has them on MNIST; trained once and kept."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for inputs, outputs in ((1, 32), (32, 32), (32, 64), (64, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if inputs == outputs else []
        layers += [nn.Flatten(), nn.Linear(1024, 200), nn.ReLU()]
        network = Network(nn.Sequential(*layers), LinearHead(200, 10))
    data = load_data("fashion_mnist", split="train", samples="first:12000", root=root)
    attack = PGD(ball=Linf(0.1), step_size=0.05, steps=3)
    recipe = Recipe(epochs=3, learning_rate=0.1, schedule="one_cycle", warm_up=0.3)
    kept = Path(tempfile.gettempdir(), "classward-benchmarks", type(defense).__name__)
    asked = {"attack": attack, "recipe": recipe, "out": kept}
    try:
        run = train(defense, network, data, **asked, resume=kept.exists())
    except InputError:  # kept by another version
        run = train(defense, network, data, **asked, overwrite=True)
    return run.last


def _rows(data: Split) -> tuple[Images, Labels]:
    return data.batch(torch.arange(len(data))), data.labels


def _sequential(tensors: dict[str, Tensor]) -> nn.Module:
    """Two convolutions and two linear layers, as the published weights name them."""
    layers = [
        nn.Conv2d(tensors["0.weight"].shape[1], 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(tensors["5.weight"].shape[1], 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    ]
    network = nn.Sequential(*layers)
    network.load_state_dict(tensors)
    return network.eval()


def _digits(samples: int) -> dict[str, Subject]:
    data = load_data("digits", split="train")
    images, labels = _rows(load_data("digits", split="test", samples=f"first:{samples}"))
    attack = PGD(ball=Linf(0.1), step_size=0.025, steps=10)
    found: dict[str, Subject] = {}
    for kind, defense in (("natural", Standard()), ("robust", AdversarialTraining())):
        run = train(defense, "small_cnn", data, attack=attack, recipe=Recipe(epochs=10))
        found[kind] = (f"small {kind} CNN, digits", run.best, images, labels, 0.1)
    return found
