"""Input normalisation as a layer: everything outside a network sees pixels in [0, 1]."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.types import Images

MeanAndStd = tuple[Sequence[float], Sequence[float]]  # of each channel, in pixel units


class Normalize(nn.Module):
    """(pixel - mean) / std, channel by channel; the first layer of `features`.

    Both are buffers, for they are part of what a network is: saved with it, and in its digest.

    Args:
        mean: Mean of each channel, in pixel units (an image spans [0, 1]).
        std: Standard deviation of each channel, in the same units.

    Raises:
        InputError: If their lengths differ, a std is not positive or a value not finite.
    """

    mean: Float[Tensor, " c"]
    std: Float[Tensor, " c"]

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or len(mean) == 0:
            raise InputError(
                f"mean and std: one value for each channel, got {len(mean)} and {len(std)}"
            )
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        if not (self.mean.isfinite() & self.std.isfinite() & (self.std > 0)).all():
            raise InputError(
                f"mean must be finite and std positive, got {[*mean]} and {[*std]}"
            )

    def forward(self, images: Images) -> Images:
        """Normalised images.

        Raises:
            InputError: If the images have another number of channels.
        """
        if images.shape[1:2] != self.mean.shape:  # one channel would spread over three unseen
            raise InputError(
                f"model takes images of {len(self.mean)} channels, got shape "
                f"{tuple(images.shape)}: pass channels= or other data"
            )
        return (images - self.mean[:, None, None]) / self.std[:, None, None]

    def extra_repr(self) -> str:
        """Mean and std, for printing."""
        return f"mean={self.mean.tolist()}, std={self.std.tolist()}"


def normalize(
    channels: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    default: MeanAndStd | None = None,
) -> Normalize:
    """Normalise by what is given, else by `default` if the channels fit, else not at all.

    Raises:
        InputError: If only one of the two is given, or not one value for each channel.
    """
    if (mean is None) != (std is None):
        raise InputError("mean and std: give both or neither")
    if mean is None or std is None:
        none = [0.0] * channels, [1.0] * channels
        mean, std = default if default is not None and len(default[0]) == channels else none
    if len(mean) != channels:
        raise InputError(f"mean has {len(mean)} values, the images have {channels} channels")
    return Normalize(mean, std)
