"""The network that corrects logits: one to three fully connected layers, logits to logits.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 4.2; two layers are the paper's, one and three its ablations.
Beyond the paper: scores by rank. Fully connected layers cannot sort, so they must learn "answer
the second-highest class" anew for each pair of classes; of sorted logits it is one rule.
"""

from collections.abc import Mapping
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classward.core.types import Logits


class CorrectionNetwork(nn.Module):
    """Corrected logits `g(z) = W2 Drop(ReLU(W1 z + b1)) + b2`, or `W z + b` without `hidden`.

    With `ranks`, a second such network takes the logits in descending order, and what it gives
    for a rank is added to the class that holds it. Where two logits tie the classes change
    places, so g is then continuous but for ties.

    It has no training mode: who trains it passes `dropout`. So no mode left on by mistake can
    make a corrected classifier random.

    Args:
        classes: Number of logits, of the input and of the output.
        hidden: Number of hidden neurons; `None` is the linear ablation.
        generator: Draws the first weights, uniform in +-1/sqrt(fan-in) as torch's own layers.
        deep: Whether a second hidden layer as wide as the first follows it.
        ranks: Hidden neurons of the network over sorted logits; `None` for none.
    """

    def __init__(
        self,
        classes: int,
        hidden: int | None,
        generator: torch.Generator,
        *,
        deep: bool = False,
        ranks: int | None = None,
    ) -> None:
        super().__init__()
        self.hidden = None if hidden is None else _linear(classes, hidden, generator)
        self.second = _linear(hidden, hidden, generator) if deep and hidden else None
        self.output = _linear(hidden or classes, classes, generator)
        self.ranks = CorrectionNetwork(classes, ranks, generator) if ranks else None

    def forward(self, logits: Logits, dropout: Float[Tensor, "n d"] | None = None) -> Logits:
        """Corrected logits of each sample.

        Args:
            logits: As the classifier gives them.
            dropout: Factor of each hidden neuron, those of a second layer after those of the
                first: 0, or 1 / the probability to keep it.
        """
        own = self._by_class(logits, dropout)
        if self.ranks is None:
            return own
        ordered, classes = logits.sort(dim=1, descending=True)
        return own.scatter_add(1, classes, self.ranks(ordered))

    def _by_class(self, logits: Logits, dropout: Float[Tensor, "n d"] | None) -> Logits:
        if self.hidden is None:
            return self.output(logits)
        width = len(self.hidden.bias)
        active = F.relu(self.hidden(logits))
        if dropout is not None:
            active = active * dropout[:, :width]
        if self.second is not None:
            active = F.relu(self.second(active))
            if dropout is not None:
                active = active * dropout[:, width:]
        return self.output(active)

    def dropout(
        self, samples: int, keep: float, generator: torch.Generator
    ) -> Float[Tensor, "n d"] | None:
        """Draw what `forward` takes as `dropout`: neurons kept with probability `keep`."""
        if self.hidden is None:
            return None
        weight = self.hidden.weight
        neurons = len(weight) if self.second is None else 2 * len(weight)
        drawn = torch.empty(samples, neurons, device=weight.device)
        kept = drawn.uniform_(generator=generator) < keep  # in a third of bernoulli_'s time
        return kept / keep

    @torch.no_grad()
    def fold(self, scale: float) -> None:
        """Take logits from now on where logits / `scale` were taken before."""
        first = self.output if self.hidden is None else self.hidden
        first.weight /= scale
        if self.ranks is not None:
            self.ranks.fold(scale)


def of_weights(
    tensors: Mapping[str, Tensor],
    *,
    classes: int,
    hidden: int | None,
    deep: bool,
    ranks: int | None,
) -> CorrectionNetwork:
    """The network that has these weights.

    Raises:
        KeyError, ValueError, RuntimeError: If they are those of another layout; room is made
            only for what they fill.
    """
    width = hidden or classes
    shapes = {"output.weight": (classes, width)}
    if deep:
        shapes["second.weight"] = (width, width)
    if ranks is not None:
        shapes["ranks.output.weight"] = (classes, ranks)
    if any(tuple(tensors[name].shape) != shape for name, shape in shapes.items()):
        raise ValueError("weights of another layout")
    network = CorrectionNetwork(classes, hidden, torch.Generator(), deep=deep, ranks=ranks)
    network.load_state_dict(tensors)
    return network


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    bound = 1 / sqrt(inputs)
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
