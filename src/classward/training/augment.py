"""Random crops and mirror images, each fixed by seed, epoch and sample id.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Sec. 4.2.
"""

import torch
from torch.nn import functional as F

from classward.core.randomness import SampleRandom
from classward.core.types import Images

BORDER = 4  # pixels


def augmented(images: Images, rng: SampleRandom) -> Images:
    """Shift each image by up to 4 pixels, black coming in, and mirror every second one."""
    n, _, height, width = images.shape
    down, right, mirror = rng.uniform([3]).to(images.device).unbind(dim=1)
    rows = _window(down, height)
    columns = _window(right, width)
    columns = torch.where(mirror[:, None] < 0.5, columns, columns.flip(1))
    sample = torch.arange(n, device=images.device)[:, None, None]
    channels_last = F.pad(images, [BORDER] * 4).permute(0, 2, 3, 1)
    return (
        channels_last[sample, rows[:, :, None], columns[:, None]]
        .permute(0, 3, 1, 2)
        .contiguous()
    )


def _window(uniform: torch.Tensor, size: int) -> torch.Tensor:
    first = (uniform * (2 * BORDER + 1)).long()
    return first[:, None] + torch.arange(size, device=uniform.device)
