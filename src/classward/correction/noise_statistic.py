"""The noise statistic: attacked images lean back to their own class when noise is added.

Paper: Roth, Kilcher and Hofmann, "The Odds are Odd: A Statistical Test for Detecting
Adversarial Examples", arXiv:1902.04818, Sec. 3.
Reading: noise of one size, normal; the paper combines several. The images are not clamped
after it. A class pair's deviation is over images and draws together.
Not to be confused with: a detector that sees logits alone. This one asks the classifier
`draws` + 1 times for each image.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.options import Count, Positive, checked
from classward.core.randomness import SampleRandom
from classward.core.types import Images, Labels
from classward.models.network import evaluating

FALSE_ALARMS = 0.05  # share of the images of the fit that are flagged
TINY = 1e-12  # keeps 0 / 0 at 0
Ids = Int64[Tensor, " n"]
Moments = tuple[Tensor, Tensor, Tensor]  # predicted class, mean and mean square of the change


class NoiseStatistic:
    """Says how odd the logits of an image change under noise, for the class it is taken for.

    With y the predicted class, f_z - f_y changes by z_{y,z} when noise is added. The statistic
    is the largest over z != y of the mean of that, standardised by what training images of
    class y show.

    Args:
        model: Images in [0, 1] to logits.
        noise: Deviation of the noise, in pixel units.
        draws: Draws of it for each image.
        seed: Seed of them.
        batch_size: Images at once.
        device: A torch device.

    Attributes:
        threshold_: What 5 % of the images of the fit exceed; beyond, images are flagged.

    Raises:
        ValueError: If an option is unfit.
    """

    threshold_: float

    @checked
    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        noise: Positive = 16 / 255,
        draws: Count = 32,
        seed: int = 0,
        batch_size: Count = 128,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.noise = noise
        self.draws = draws
        self.seed = seed
        self.batch_size = batch_size
        self.device = device

    def fit(self, batches: Iterable[tuple[Images, Labels, Ids]]) -> "NoiseStatistic":
        """Learn what noise does to clean images that are classified right.

        Args:
            batches: Images, labels and ids.

        Raises:
            InputError: If of some class no image is classified right.
        """
        found = []
        for images, labels, ids in batches:
            said, mean, square = self._moments(images, ids)
            right = said == labels.cpu()
            found.append((said[right], mean[right], square[right]))
        said, mean, square = (torch.cat(rows) for rows in zip(*found, strict=True))
        counts = said.bincount(minlength=mean.shape[1])
        if lacking := (counts == 0).nonzero().flatten().tolist():
            raise InputError(
                f"noise statistic: no image of class {lacking[0]} is classified right"
            )
        total = torch.zeros(2, len(counts), len(counts), dtype=torch.float64)
        total[0].index_add_(0, said, mean)
        total[1].index_add_(0, said, square)
        self.mean_, squares = total / counts[:, None]
        self.deviation_ = (squares - self.mean_.square()).clamp(min=0).sqrt()
        self.threshold_ = self._odd(said, mean).quantile(1 - FALSE_ALARMS).item()
        return self

    def scores(self, images: Images, ids: Ids) -> Float64[Tensor, " n"]:
        """How odd each image is, in deviations: more is more. The noise depends on the id."""
        said, mean, _ = self._moments(images, ids)
        return self._odd(said, mean)

    def flags(self, images: Images, ids: Ids) -> Bool[Tensor, " n"]:
        """Whether each image is taken for attacked."""
        return self.scores(images, ids) > self.threshold_

    def _odd(self, said: Labels, mean: Float64[Tensor, "n k"]) -> Float64[Tensor, " n"]:
        standard = (mean - self.mean_[said]) / self.deviation_[said].clamp(min=TINY)
        return standard.scatter(1, said[:, None], -float("inf")).amax(dim=1)

    def _moments(self, images: Images, ids: Ids) -> Moments:
        parts = zip(images.split(self.batch_size), ids.split(self.batch_size), strict=True)
        found = [self._of_batch(*part) for part in parts]
        said, mean, square = (torch.cat(rows) for rows in zip(*found, strict=True))
        return said, mean, square

    @torch.no_grad()
    def _of_batch(self, images: Images, ids: Ids) -> Moments:
        asked, rng = images.to(self.device), SampleRandom(self.seed, "noise statistic", ids)
        model = self.model
        if isinstance(model, nn.Module):
            with evaluating(model.to(self.device)):
                return self._drawn(asked, rng)
        return self._drawn(asked, rng)

    def _drawn(self, images: Images, rng: SampleRandom) -> Moments:
        before = self.model(images).double()
        said = before.argmax(dim=1, keepdim=True)
        mean, square = torch.zeros_like(before), torch.zeros_like(before)
        for _ in range(self.draws):
            noise = rng.normal(images.shape[1:]).to(images)
            change = self.model(images + self.noise * noise).double() - before
            change -= change.gather(1, said)
            mean += change / self.draws
            square += change.square() / self.draws
        return said.squeeze(1).cpu(), mean.cpu(), square.cpu()
