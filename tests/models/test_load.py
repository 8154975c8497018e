"""Models by name, and weights that must agree with what is asked."""

import pytest
import torch
from torch import nn

from classward.core.errors import InputError
from classward.models import heads
from classward.models.heads import UnitWeightHead
from classward.models.load import build, load_model, models
from classward.models.network import Network
from classward.models.weights import save_weights

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class OtherHead(UnitWeightHead):
    pass


@pytest.fixture
def saved(tmp_path):
    """Write a network as a training run does; return the run's folder."""

    def save(network, **about):
        (tmp_path / "weights.safetensors").write_bytes(save_weights(network, about))
        return tmp_path

    return save


def test_lists_the_functions_of_the_folder_and_nothing_else():
    assert {"resnet20", "resnet32", "resnet44", "resnet56", "small_cnn"} <= {*models()}
    assert models() == sorted(models())
    assert not {"build", "load_model"} & {*models()}


@pytest.mark.parametrize("name", models())
def test_every_model_can_be_built_to_measure(name):
    network = build(name, classes=3, channels=1, size=28, width=0.1, head=UnitWeightHead)
    assert isinstance(network, Network) and isinstance(network.head, UnitWeightHead)
    assert network.training
    images = torch.rand(2, 1, 28, 28)
    assert network.eval()(images).shape == (2, 3)
    assert torch.equal(network(images), network(images))
    assert {"mean", "std"} == {*next(iter(network.features.children())).state_dict()}


def test_first_weights_come_from_the_seed_alone():
    before = torch.random.get_rng_state()
    first, again, other = (build("small_cnn", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first(IMAGES), again(IMAGES))
    assert not torch.equal(first(IMAGES), other(IMAGES))


def test_an_untrained_model_is_the_one_that_is_built():
    model = load_model("small_cnn", seed=1, mean=[0.5], std=[0.5])
    assert torch.equal(model(IMAGES), build("small_cnn", seed=1)((IMAGES - 0.5) / 0.5))
    assert not any(layer.training for layer in model.modules())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet200", "unknown model 'resnet200', the nearest is 'resnet20'; or torchvision:"),
        ("smallcnn", "the nearest is 'small_cnn'"),
        ("build", "unknown model 'build'"),
        ("", "unknown model ''"),
        ("../resnet20", "unknown model"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, said):
    with pytest.raises(InputError, match=said):
        load_model(name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": 1}, r"small_cnn: classes must be in 2\.\.1000000, got 1"),
        ({"channels": 0}, r"channels must be in 1\.\.1024, got 0"),
        ({"size": 0}, r"size must be in 1\.\.1024, got 0"),
        ({"size": 10**9}, r"size must be in 1\.\.1024, got 1000000000"),
        ({"width": 0.0}, r"width must be in 0\.01\.\.4, got 0\.0"),
        ({"width": 1000.0}, "width must be in"),
        ({"mean": [0.5]}, "give both or neither"),
        ({"mean": [0.5] * 3, "std": [0.5] * 3}, "the images have 1 channels"),
    ],
)
def test_unfit_numbers_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        load_model("small_cnn", **options)


def test_weights_say_what_is_not_asked(saved):
    network = build(
        "small_cnn", classes=4, channels=3, size=12, mean=[0.1, 0.2, 0.3], std=[0.5] * 3
    )
    images = torch.rand(2, 3, 12, 12)
    loaded = load_model("small_cnn", weights=saved(network, size=12))
    assert torch.equal(loaded(images), network(images))
    assert not loaded.training


HEADS = [
    head
    for head in vars(heads).values()
    if isinstance(head, type) and issubclass(head, heads.Head) and head is not heads.Head
]


@pytest.mark.parametrize("head", HEADS)
def test_weights_name_their_head(saved, head):
    network = build("small_cnn", seed=2, head=head)
    loaded = load_model("small_cnn", weights=saved(network), classes=10)
    assert type(loaded.head) is head
    assert torch.equal(loaded(IMAGES), network(IMAGES))


@pytest.mark.parametrize("name", models())
def test_weights_say_how_wide_their_network_is(saved, name):
    network = build(name, seed=2, channels=1, size=8, width=0.15).eval()
    loaded = load_model(name, weights=saved(network))
    assert loaded.width == 0.15
    assert torch.equal(loaded(IMAGES), network(IMAGES))
    with pytest.raises(InputError, match="made with width=0.15, not 0.5"):
        load_model(name, weights=saved(network), width=0.5)


def test_the_width_of_weights_of_other_origin_must_be_given(tmp_path):
    network = build("small_cnn", width=0.5)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"has shape \(8, .*: pass .* or width="):
        load_model("small_cnn", weights=tmp_path / "w.pt")
    loaded = load_model("small_cnn", weights=tmp_path / "w.pt", width=0.5)
    assert torch.equal(loaded(IMAGES), network(IMAGES))


def test_a_head_is_known_by_its_tensors_where_it_is_not_named(tmp_path):
    network = build("small_cnn", seed=2, head=UnitWeightHead)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    loaded = load_model("small_cnn", weights=tmp_path / "w.pt")
    assert torch.equal(loaded(IMAGES), network(IMAGES))


def test_adaptive_losses_go_with_the_weights(saved):
    network = build("small_cnn", seed=2)
    network.adaptive_losses = ("margin", "dlr")
    assert load_model("small_cnn", weights=saved(network)).adaptive_losses == ("margin", "dlr")
    network.adaptive_losses = ("hinge",)
    with pytest.raises(InputError, match="adaptive losses .*hinge.*, known are cross_entropy"):
        load_model("small_cnn", weights=saved(network))


def test_an_unknown_head_must_be_given(saved):
    network = build("small_cnn", seed=2, head=OtherHead)
    with pytest.raises(InputError, match="made with head OtherHead, known are .*: pass head="):
        load_model("small_cnn", weights=saved(network))
    loaded = load_model("small_cnn", weights=saved(network), head=OtherHead)
    assert torch.equal(loaded(IMAGES), network(IMAGES))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"classes": 10}, "made with classes=4, not 10"),
        ({"channels": 3}, "made with channels=1, not 3"),
        ({"mean": [0.25], "std": [0.5]}, r"made with mean=\[0.5\], not \[0.25\]"),
        ({"mean": [0.5], "std": [0.25]}, r"made with std=\[0.5\], not \[0.25\]"),
        ({"mean": [0.5] * 3, "std": [0.5] * 3}, r"made with mean=\[0.5\]"),
        ({"size": 28}, "'features.hidden.weight' has shape .*: pass .* size="),
        ({"head": UnitWeightHead}, "lacks 'head.weight'"),
    ],
)
def test_weights_are_not_contradicted(saved, asked, said):
    network = build("small_cnn", classes=4, mean=[0.5], std=[0.5])
    with pytest.raises(InputError, match=said):
        load_model("small_cnn", weights=saved(network, size=8), **asked)


def test_what_agrees_may_be_said_again(saved):
    network = build("small_cnn", classes=4, mean=[0.1], std=[0.3])
    loaded = load_model(
        "small_cnn",
        weights=saved(network, size=8),
        classes=4,
        mean=[0.1],
        std=[0.3],
        channels=1,
        size=7,  # odd, but of as many features as 8
    )
    assert torch.equal(loaded(IMAGES), network(IMAGES))


@pytest.mark.parametrize(
    ("name", "last", "some"),
    [
        ("resnet20", "linear", {"conv1.weight", "layer3.2.bn2.bias"}),
        ("resnet20", "fc", {"conv1.weight", "layer3.2.bn2.bias"}),
        ("resnet18", "linear", {"bn1.weight", "layer2.0.shortcut.0.weight"}),
        ("resnet50", "linear", {"layer1.0.conv3.weight", "layer4.2.bn3.running_var"}),
        ("vgg16", "classifier", {"features.0.bias", "features.41.running_mean"}),
        ("wide_resnet_28_10", "fc", {"block1.layer.0.convShortcut.weight", "bn1.bias"}),
        ("densenet121", "linear", {"dense4.15.conv2.weight", "trans3.bn.weight", "bn.bias"}),
    ],
)
def test_published_names_become_ours(tmp_path, name, last, some):
    network = build(name, seed=4, classes=7, width=0.15)
    published = {
        (key if name == "vgg16" else key.removeprefix("features.")).replace(
            "head.linear", last
        ): value
        for key, value in network.state_dict().items()
        if not key.startswith("features.normalize")
    }
    assert some | {f"{last}.bias"} <= published.keys()
    torch.save(published, tmp_path / "w.pth")
    loaded = load_model(name, weights=tmp_path / "w.pth", width=0.15)
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded(images), network.eval()(images))


def test_weights_of_another_depth_are_refused(saved):
    run = saved(build("resnet32"))
    with pytest.raises(InputError, match=r"'features.layer1.3.\S+' \(and \d+ more\) is not in"):
        load_model("resnet20", weights=run)
    run = saved(build("resnet20"))
    with pytest.raises(InputError, match=r"lacks 'features.layer1.3.conv1.weight' \(and"):
        load_model("resnet32", weights=run)


def test_a_model_of_the_caller_has_its_own_last_layer():
    with pytest.raises(InputError, match="has layers of its own: leave head and width out"):
        load_model("net.py:make", head=nn.Linear)
    with pytest.raises(InputError, match="has layers of its own: leave head and width out"):
        load_model("net.py:make", width=0.5)
