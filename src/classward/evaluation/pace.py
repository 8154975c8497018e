"""How fast a model goes: seconds of a pass, from a short probe before long work."""

import time

import torch

from classward.core.types import Precision
from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.watched import Watched
from classward.models.fast_twin import make_fast_twin
from classward.models.twin import make_twin

IMAGES = 32  # of the probe


def seconds_of_passes(
    model: Model, data: Split, device: str, precision: Precision = "exact"
) -> tuple[float, float]:
    """Seconds for one image: of a forward pass, and of a forward and a backward pass.

    Both are of what leads an attack, the twin where there is one, after a pass to warm up.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        device: A torch device.
        precision: What leads the attacks.
    """
    with judging(model, device):
        judge = Judge(model, data, device)
        images, _, _ = judge.batch(torch.arange(min(IMAGES, len(data))))
        make = make_twin if precision == "exact" else make_fast_twin
        watched = Watched(make(model, judge.probe)[0])
        with torch.no_grad():
            watched(images)
        started = time.perf_counter()
        with torch.no_grad():
            watched(images)
        middle = time.perf_counter()
        asked = images.clone().requires_grad_()
        torch.autograd.grad(watched(asked).sum(), asked)
        if images.is_cuda:
            torch.cuda.synchronize()
        ended = time.perf_counter()
    return (middle - started) / len(images), (ended - middle) / len(images)
