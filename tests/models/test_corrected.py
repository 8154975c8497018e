import torch
from torch import nn

from classward.models.corrected import Corrected
from classward.models.small_cnn import small_cnn


def test_is_the_corrector_of_the_logits_and_differentiable_end_to_end():
    network, corrector = small_cnn().eval(), nn.Linear(10, 10).eval()
    images = torch.rand(2, 1, 8, 8, requires_grad=True)
    logits = Corrected(network, corrector)(images)
    assert torch.equal(logits, corrector(network(images)))
    (gradient,) = torch.autograd.grad(logits.sum(), images)
    assert gradient.abs().sum() > 0


def test_is_in_the_mode_of_its_parts():
    network, corrector = small_cnn().eval(), nn.Linear(10, 10).eval()
    assert not any(layer.training for layer in Corrected(network, corrector).modules())
    assert Corrected(network.train(), corrector).training
