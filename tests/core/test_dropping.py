import pytest
import torch
from torch import nn

from classward.core.dropping import dropping
from classward.core.randomness import SampleRandom


def network():
    """One convolution that gives the image back, forty times."""
    layer = nn.Conv2d(1, 40, 1, bias=False)
    layer.weight.data.fill_(1.0)
    return nn.Sequential(layer, nn.Flatten())


def answer(share, ids=(0, 1), model=None):
    model, images = model or network(), torch.ones(len(ids), 1, 5, 5)
    with dropping(model, share, SampleRandom(0, "test", torch.tensor(ids))), torch.no_grad():
        return model(images)


def test_drops_its_share_and_scales_what_is_kept():
    made = answer(0.25)
    assert made.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (made == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_depends_on_the_sample_alone():
    both = answer(0.5, ids=(3, 8))
    assert torch.equal(answer(0.5, ids=(8,)), both[1:]) and not torch.equal(both[0], both[1])


def test_is_gone_afterwards_even_after_an_error():
    model = network()
    answer(0.5, model=model)
    with (
        pytest.raises(RuntimeError),
        dropping(model, 0.5, SampleRandom(0, "t", torch.arange(2))),
    ):
        model(torch.ones(2, 3, 5, 5))
    assert not model[0]._forward_hooks
    assert (model(torch.ones(2, 1, 5, 5)) == 1).all()


def test_no_share_and_plain_functions_stay_as_they_are():
    assert (answer(0.0) == 1).all()
    assert torch.equal(answer(0.5, model=lambda images: images), torch.ones(2, 1, 5, 5))
