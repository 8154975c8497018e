"""The twin of a model: the same function, cheaper to differentiate.

Batch norms are folded into the convolutions before them, and the weights of convolutions lie
in memory with channels last. Both follow from the layers alone, never from a timing, so a
resumed run has the twin that the first one had. The twin is differentiated; what is true of an
image, the model itself says.
"""

import copy
from collections import Counter
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from classward.core.losses import margin
from classward.core.randomness import SampleRandom
from classward.core.types import Classifier, Images

CHECKED = 16  # images on which model and twin are compared
SIGNS = 0.999  # least share of input gradients that keep their sign


def make_twin(
    model: Classifier, images: Images, *, tolerance: float = 1e-4
) -> tuple[Classifier, str]:
    """Return a twin that was checked against `model`, or `model`; and in words, which and why.

    Twin and model agree when their logits differ by at most `tolerance` and the input gradients
    of their margins have the same signs almost everywhere. `model` is never changed.

    Args:
        model: Images in [0, 1] to logits; a module in eval mode has a chance of a twin.
        images: Images to check on; the first 16 are used.
        tolerance: Largest difference of logits, as a share of their spread in each image.
    """
    if not isinstance(model, nn.Module):
        return model, "the model itself: a plain callable has no layers to fold"
    if any(layer.training for layer in model.modules()):
        return model, "the model itself: it is in training mode"
    if not any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        return model, "the model itself: it has no convolutions"
    probe = generic(images)
    try:
        twin = copy.deepcopy(model).requires_grad_(False)
        folded = _fold(twin, probe)
        twin.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        fault = difference(model, twin, probe, tolerance=tolerance, signs=SIGNS)
    except Exception as error:  # noqa: BLE001 - any module may come, and none is owed a twin
        return model, f"the model itself: its copy fails with {type(error).__name__}"
    if fault:
        return model, f"the model itself: {fault}"
    return twin, f"twin: {folded} batch norms folded, channels last"


def generic(images: Images) -> Images:
    """The first few, moved: in flat regions, max pooling has ties and gradients no sign."""
    images = images[:CHECKED]
    rng = SampleRandom(0, "twin", torch.arange(len(images)))
    return 0.99 * images + 0.01 * rng.uniform(images.shape[1:]).to(images)


def _fold(model: nn.Module, images: Images) -> int:
    """Fold every batch norm that takes a convolution's output as it is; return how many."""
    pairs = _pairs(model, images)
    for norm, conv in pairs.items():
        fused = fuse_conv_bn_eval(conv, norm)
        conv.weight, conv.bias = fused.weight, fused.bias
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in pairs:
                setattr(parent, name, nn.Identity().eval())
    return len(pairs)


def _pairs(model: nn.Module, images: Images) -> dict[nn.BatchNorm2d, nn.Conv2d]:
    """Batch norms, each with the convolution before it, seen in one forward pass.

    Nothing but the batch norm may take the convolution's output. Subclasses of either may do
    more than their name says; of batch norms they are left alone.
    """
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # outputs are kept, so no id comes twice
    pairs: dict[nn.BatchNorm2d, nn.Conv2d] = {}
    uses: Counter[nn.Module] = Counter()

    def after_conv(conv: Any, _: Any, output: Tensor) -> None:
        uses[conv] += 1
        made[id(output)] = (conv, output)

    def before_norm(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        uses[norm] += 1
        if inputs and id(inputs[0]) in made and norm.running_var is not None:
            pairs[norm] = made[id(inputs[0])][0]

    hooks = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and not is_parametrized(layer):
            hooks.append(layer.register_forward_hook(after_conv))
        elif type(layer) is nn.BatchNorm2d:
            hooks.append(layer.register_forward_pre_hook(before_norm))
    with torch.no_grad(), _Takers(made) as takers:
        model(images)
    for hook in hooks:
        hook.remove()
    for taken, (conv, _) in made.items():
        uses[conv] += takers.of[taken] - 1
    return {norm: conv for norm, conv in pairs.items() if uses[norm] == uses[conv] == 1}


class _Takers(TorchFunctionMode):
    """Counts how many functions make a tensor of each that is watched, by its id."""

    def __init__(self, watched: Container[int]) -> None:
        super().__init__()
        self.watched, self.of = watched, Counter[int]()

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        made = function(*given, **(named or {}))
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(made)):
            self.of.update(id(x) for x in tree_leaves((given, named)) if id(x) in self.watched)
        return made


def difference(
    model: nn.Module, twin: nn.Module, images: Images, *, tolerance: float, signs: float
) -> str | None:
    """In words, how a twin differs from its model; `None` where it does as little as allowed.

    Args:
        model: The model.
        twin: What stands in for it.
        images: Images to compare them on.
        tolerance: Largest difference of logits, as a share of their spread in each image.
        signs: Least share of input gradients of the margin that have the same sign.
    """
    logits, gradient = _answers(model, images, labels=None)
    labels = logits.argmax(dim=1)
    twin_logits, twin_gradient = _answers(twin, images, labels)
    spread = logits.amax(dim=1) - logits.amin(dim=1)
    if not ((logits - twin_logits).abs().amax(dim=1) <= tolerance * spread).all():
        return "its copy has other logits"
    if not (gradient.sign() == twin_gradient.sign()).double().mean() >= signs:
        return "its copy has input gradients of other signs"
    return None


def _answers(model: nn.Module, images: Images, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logits, and the input gradient of the margin from `labels` (default: what it says)."""
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        logits = model(images)
        away_from = logits.argmax(dim=1) if labels is None else labels
        (gradient,) = torch.autograd.grad(margin(logits, away_from).sum(), images)
    return logits.detach(), gradient
