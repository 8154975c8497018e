"""Models to differentiate in place of one whose own gradient says little.

What they return goes into `run_attack(model, ..., gradient_model=...)`: the attack follows
their gradient, and the model itself is judged, as always.

Sources: Athalye et al., "Obfuscated Gradients Give a False Sense of Security",
arXiv:1802.00420, Sec. 4.1 (backward pass differentiable approximation, BPDA, and its identity
case, the straight-through estimator) and Sec. 4.2; Athalye et al., "Synthesizing Robust
Adversarial Examples", arXiv:1707.07397, Sec. 2.1 (expectation over transformation, EOT).
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.global_random import global_random
from classward.core.types import Classifier, Images, Logits

Part = Callable[[Tensor], Tensor]


def eot(model: Classifier, samples: int, *, seed: int = 0) -> nn.Module:
    """The mean logits of several draws of a random model.

    The draws of a call are fixed by `seed` and the images: they change from step to step, and a
    run can be repeated and resumed. What the model draws must come from a global generator.

    Args:
        model: Images to logits, other ones each time.
        samples: Draws; each costs a forward and a backward pass, and its activations' memory.
        seed: Seed of the draws.

    Raises:
        InputError: If there is to be no draw.
    """
    if samples < 1:
        raise InputError(f"eot needs at least 1 sample, got {samples}")
    return _Mean(model, samples, seed)


def straight_through(model: Classifier, preprocessor: Part) -> nn.Module:
    """`model` behind a preprocessor whose gradient is taken to be the identity.

    Args:
        model: Preprocessed images to logits; differentiable.
        preprocessor: Images to images of the same shape, such as a quantisation.
    """
    return bpda(preprocessor, model, backward=[_itself, None])


def bpda(*parts: Part, backward: Sequence[Part | None]) -> nn.Module:
    """A chain whose forward pass is exact and whose gradient is, in parts, that of stand-ins.

    Args:
        parts: What the images pass through, one after the other; the last gives logits.
        backward: For each part, a differentiable stand-in with the same shapes, or `None` for
            the gradient of the part itself.

    Raises:
        InputError: If there is not one entry for each part; on a call, if shapes differ.
    """
    if len(backward) != len(parts) or not parts:
        raise InputError(f"bpda got {len(parts)} parts and {len(backward)} entries of backward")
    return _Chain(parts, backward)


class _Mean(nn.Module):
    def __init__(self, model: Classifier, samples: int, seed: int) -> None:
        super().__init__()
        self.model, self.samples, self.seed = model, samples, seed

    def extra_repr(self) -> str:
        return f"samples={self.samples}, seed={self.seed}"

    def forward(self, images: Images) -> Logits:
        pixels = images.detach().cpu().contiguous().numpy().tobytes()
        drawn = hashlib.blake2b(pixels, digest_size=8, key=str(self.seed).encode())
        with global_random(int.from_bytes(drawn.digest(), "little"), images.device):
            total = self.model(images)
            for _ in range(self.samples - 1):
                total = total + self.model(images)
        return total / self.samples


class _Chain(nn.Module):
    def __init__(self, parts: Sequence[Part], backward: Sequence[Part | None]) -> None:
        super().__init__()
        self.parts, self.stand_ins = tuple(parts), tuple(backward)
        # A tuple hides its modules; named here, they are moved and put in eval mode.
        self.named = nn.ModuleList(
            part for part in (*parts, *backward) if isinstance(part, nn.Module)
        )

    def forward(self, images: Images) -> Logits:
        for part, stand_in in zip(self.parts, self.stand_ins, strict=True):
            images = (
                part(images) if stand_in is None else _with_gradient(part, stand_in, images)
            )
        return images


class _Exact(torch.autograd.Function):
    """The value of the second argument, the gradient of the first."""

    @staticmethod
    def forward(ctx: Any, approximate: Tensor, exact: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _with_gradient(part: Part, stand_in: Part, values: Tensor) -> Tensor:
    with torch.no_grad():
        exact = part(values)
    approximate = stand_in(values)
    if approximate.shape != exact.shape:
        raise InputError(
            f"the stand-in of {_name(part)} gives shape {tuple(approximate.shape)}, the part "
            f"itself {tuple(exact.shape)}: they must be the same"
        )
    return torch.as_tensor(_Exact.apply(approximate, exact))


def _itself(values: Tensor) -> Tensor:
    return values


def _name(part: Part) -> str:
    return getattr(part, "__name__", type(part).__name__)
