"""A network with a logits corrector behind it: a classifier again, attacked as a whole."""

from torch import nn

from classward.core.losses import LossName
from classward.core.types import Images, Logits


class Corrected(nn.Module):
    """Images -> network -> logits -> corrector -> corrected logits.

    What attacks only the network, without the corrector, says nothing about this classifier.
    Where the corrector saturates, cross-entropy has no gradient left; the other losses have.

    Args:
        network: Images in [0, 1] to logits.
        corrector: Logits to corrected logits.
    """

    adaptive_losses: tuple[LossName, ...] = ("cross_entropy", "margin", "dlr")

    def __init__(self, network: nn.Module, corrector: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.corrector = corrector
        self.training = network.training or corrector.training  # not True, as of a new module

    def forward(self, images: Images) -> Logits:
        """Corrected logits of each image."""
        return self.corrector(self.network(images))
