import pytest
import torch
from torch import nn

from classward.models.class_weights import class_weights
from classward.models.heads import UnitWeightHead
from classward.models.normalize import Normalize
from classward.models.small_cnn import small_cnn

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
FEATURES = (nn.Conv2d(1, 6, 8), nn.ReLU())  # 6 channels of one pixel


def conv_last():
    return nn.Sequential(*FEATURES, nn.Conv2d(6, 4, 1), nn.Flatten())


def test_of_a_network_are_the_prototypes_of_its_head():
    network = small_cnn(head=UnitWeightHead)
    weights, source = class_weights(network, IMAGES)
    assert torch.equal(weights, network.head.prototypes())
    assert not weights.requires_grad
    assert source == "prototypes of the head (UnitWeightHead)"


def test_of_a_network_inside_another_module_are_those_prototypes_too():
    network = small_cnn(head=UnitWeightHead)
    weights, source = class_weights(nn.Sequential(Normalize([0.0], [1.0]), network), IMAGES)
    assert torch.equal(weights, network.head.prototypes())
    assert source == "weights of layer '1.head' (UnitWeightHead)"


def test_of_a_linear_last_layer_are_its_rows():
    model = nn.Sequential(*FEATURES, nn.Flatten(), nn.Linear(6, 5), nn.Linear(5, 4))
    weights, source = class_weights(model, IMAGES)
    assert torch.equal(weights, model[4].weight)
    assert source == "weights of layer '4' (Linear)"


def test_of_a_pointwise_last_layer_are_its_rows():
    model = conv_last()
    weights, source = class_weights(model, IMAGES)
    assert torch.equal(weights, model[2].weight.flatten(1))
    assert source == "weights of layer '2' (Conv2d)"


@pytest.mark.parametrize(
    "last",
    [nn.LogSoftmax(dim=1), nn.Threshold(1e9, 7.0, inplace=True), nn.Bilinear(4, 4, 4)],
    ids=["log-softmax", "written into", "bilinear"],
)
def test_are_undefined_where_no_such_layer_gives_the_logits(last):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = conv_last(), last

        def forward(self, images):
            logits = self.first(images)
            return last(logits, logits) if isinstance(last, nn.Bilinear) else last(logits)

    weights, reason = class_weights(Model(), IMAGES)
    assert weights is None
    assert "not the output of a linear or 1x1" in reason


def test_of_a_plain_callable_are_undefined():
    weights, reason = class_weights(lambda images: images.flatten(1), IMAGES)
    assert weights is None
    assert "plain callable" in reason


def test_leave_the_model_as_it_was():
    model = conv_last().train()
    class_weights(model, IMAGES)
    assert all(layer.training for layer in model.modules())
    assert not any(layer._forward_hooks for layer in model.modules())
