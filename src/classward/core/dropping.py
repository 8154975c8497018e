"""Dropout from each sample's own random stream, in a network that may have none of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from classward.core.randomness import SampleRandom


@contextmanager
def dropping(
    model: Callable[[Tensor], Tensor], share: float, rng: SampleRandom
) -> Iterator[None]:
    """Drop, inside, this share of what every 2-d convolution of `model` gives.

    What is kept is scaled up, as in `nn.Dropout`. A model that is no module has no layers to
    reach and stays as it is.
    """

    def drop(layer: nn.Module, given: Any, made: Tensor) -> Tensor:
        kept = rng.uniform(made.shape[1:]).to(made) >= share
        return made * kept / (1 - share)

    layers = model.modules() if isinstance(model, nn.Module) and share > 0 else ()
    with ExitStack() as hooks:
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                hooks.enter_context(layer.register_forward_hook(drop))
        yield
