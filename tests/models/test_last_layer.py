"""Models from outside as features and head."""

import copy

import pytest
import torch
from torch import nn

from classward.core.errors import InputError
from classward.models.last_layer import as_network
from classward.models.load import build
from classward.models.network import Network, first_weights

IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Pooled(nn.Module):
    """A classifier with a forward of its own; the last layer is the first that was made."""

    def __init__(self, use, bias=True):
        super().__init__()
        self.out = nn.Linear(8, 3, bias=bias)
        self.conv, self.norm = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.use = use

    def forward(self, images):
        return self.use(self, self.norm(self.conv(images)).relu().mean(dim=(2, 3)))


def sequential(*last):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), *last)


def plain(model, features):
    return model.out(features)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sequential(nn.Linear(8, 3)),
        lambda: sequential(nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 3))),
        lambda: Pooled(plain),
        lambda: Pooled(plain, bias=False),
    ],
    ids=["sequential", "nested", "own forward", "without bias"],
)
@pytest.mark.parametrize("training", [True, False])
def test_is_the_same_function_with_a_head(make, training):
    with first_weights(0):
        model = make().train(training)
    before = copy.deepcopy(model).eval()(IMAGES)
    network = as_network(model, IMAGES[:2])
    assert isinstance(network, Network)
    assert [layer.training for layer in network.modules()] == [training] * len(
        [*network.modules()]
    )
    network.eval()
    torch.testing.assert_close(network(IMAGES), before)
    assert network.features(IMAGES).shape == (3, 8)
    assert network.head.prototypes().shape == (3, 8)


def test_a_network_is_one_already():
    network = build("small_cnn")
    assert as_network(network, IMAGES) is network


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda model, features: model.out(features).log_softmax(1), "no last linear layer"),
        (lambda model, features: features, "no last linear layer"),
        (lambda model, features: model.out(features + model.out(features).sum()), "'out' is"),
    ],
)
def test_other_last_layers_are_refused(use, said):
    with pytest.raises(InputError, match=f"net has .*{said}|net {said}") as caught:
        as_network(Pooled(use), IMAGES, name="net")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_images_it_does_not_take_are_named():
    with pytest.raises(InputError, match=r"net does not take images of shape \(1, 5, 5\)"):
        as_network(sequential(nn.Linear(8, 3)), torch.rand(2, 1, 5, 5), name="net")
