"""The classifier itself, in float32 and eval mode: the only one whose word counts."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from classward.core.errors import InputError
from classward.core.memory import Room, out_of_memory
from classward.core.types import Images, Labels, Logits
from classward.data.split import Split
from classward.evaluation.invariants import check_images, check_logits
from classward.models.network import evaluating

Model = Callable[[Tensor], Tensor]
PROBE = 8  # images on which models are compared with each other


class Judge:
    """Asks the classifier, checks every answer, and counts what it asked.

    Attributes:
        asked: Images sent through the classifier.
        classes: Number of classes, that is, of its logits.
        class_names: Names of the classes.
        probe: The first few images.

    Raises:
        InputError: If the classifier and the data do not fit each other.
        SystemFaultError: If memory runs out with one image.
    """

    def __init__(self, model: Model, data: Split, device: str = "cpu") -> None:
        if len(data) == 0:
            raise InputError("the data hold no samples")
        self.model, self.data, self.device = model, data, device
        self.classes: int | None = None
        self.asked = 0
        self.probe, logits = Room(min(PROBE, len(data))).fit(self._first)
        self.class_names = _class_names(data, logits.shape[1])
        self.classes, self.asked = logits.shape[1], 0

    def batch(
        self, positions: Int64[Tensor, " n"]
    ) -> tuple[Images, Labels, Int64[Tensor, " n"]]:
        """Images and labels on the device, and ids, of the samples at `positions`."""
        images, ids = self.data.batch(positions).to(self.device), self.data.ids[positions]
        check_images(images, ids)
        return images, self.data.labels[positions].to(self.device), ids

    def logits(self, images: Images, ids: Int64[Tensor, " n"]) -> Logits:
        """Checked float32 logits of `images`, which were made from the samples `ids`."""
        self.asked += len(images)
        with torch.no_grad():
            try:
                logits = self.model(images)
            except RuntimeError as error:
                if out_of_memory(error):
                    raise
                shape = tuple(images.shape)
                first = str(error).splitlines()[0][:80]
                raise InputError(f"model fails on images of shape {shape}: {first}") from error
        check_logits(logits, ids, self.classes)
        return logits.float()

    def _first(self, count: int) -> tuple[Images, Logits]:
        images, _, ids = self.batch(torch.arange(count))
        return images, self.logits(images, ids)


@contextmanager
def judging(model: Model, device: str) -> Iterator[None]:
    """Put a module on the device and in eval mode, and float32 to its full precision."""
    if isinstance(model, nn.Module):
        model.to(device)
    tensor_cores = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        with evaluating(model) if isinstance(model, nn.Module) else nullcontext():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tensor_cores


def model_digest(model: Any) -> str:
    """SHA-256 of a module's state, as hexadecimal digits; of anything else, its name."""
    if not isinstance(model, nn.Module):
        return f"not a module: {getattr(model, '__qualname__', type(model).__qualname__)}"
    summed = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        summed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        summed.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return summed.hexdigest()


def _class_names(data: Split, classes: int) -> list[str]:
    if data.classes == classes:
        return list(data.class_names)
    numbered = data.class_names == [str(i) for i in range(data.classes)]
    if numbered and data.classes < classes:  # the data named no classes: the model counts them
        return [str(i) for i in range(classes)]
    raise InputError(
        f"model returns {classes} logits, the data have {data.classes} classes "
        f"({', '.join(data.class_names[:3])}, ...)"
    )
