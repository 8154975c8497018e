import pytest
import torch

from classward.core.errors import InputError
from classward.models.normalize import Normalize, normalize

DEFAULT = ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))


def test_every_channel_has_its_own_mean_and_std():
    images = torch.tensor([[0.25, 0.5], [0.75, 1.0]]).view(1, 2, 1, 2)
    normalised = Normalize([0.25, 0.5], [0.25, 0.5])(images)
    assert normalised.flatten().tolist() == [0, 1, 0.5, 1]


def test_mean_and_std_are_part_of_the_state():
    assert {*Normalize([0.5], [0.25]).state_dict()} == {"mean", "std"}


@pytest.mark.parametrize("channels", [1, 4])
def test_another_number_of_channels_is_refused_and_never_spread(channels):
    with pytest.raises(InputError, match=r"takes images of 3 channels, got shape \(2, "):
        Normalize(*DEFAULT)(torch.zeros(2, channels, 4, 4))


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ([0.5], [0.5, 0.5], "one value for each channel, got 1 and 2"),
        ([], [], "one value for each channel, got 0 and 0"),
        ([0.5], [0.0], "std positive"),
        ([0.5], [-1.0], "std positive"),
        ([float("nan")], [1.0], "finite"),
        ([0.0], [float("inf")], "finite"),
    ],
)
def test_unfit_values_are_refused(mean, std, said):
    with pytest.raises(InputError, match=said):
        Normalize(mean, std)


def test_default_is_used_where_its_channels_fit():
    assert torch.equal(normalize(3, None, None, DEFAULT).mean, torch.tensor(DEFAULT[0]))
    assert normalize(3, [0.0] * 3, [1.0] * 3, DEFAULT).mean.tolist() == [0, 0, 0]
    plain = normalize(1, None, None, DEFAULT)
    assert (plain.mean.tolist(), plain.std.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ([0.5] * 3, None, "give both or neither"),
        (None, [0.5] * 3, "give both or neither"),
        ([0.5], [0.5], "mean has 1 values, the images have 3 channels"),
    ],
)
def test_half_a_normalisation_is_refused(mean, std, said):
    with pytest.raises(InputError, match=said):
        normalize(3, mean, std, DEFAULT)
