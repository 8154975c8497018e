"""How fast a model goes: seconds of a pass, from a short probe before long work."""

import time

import torch

from classward.data.split import Split
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.watched import Watched

IMAGES = 32  # of the probe


def seconds_of_passes(model: Model, data: Split, device: str) -> tuple[float, float]:
    """Seconds for one image: of a forward pass, and of a forward and a backward pass.

    Args:
        model: Images in [0, 1] to logits.
        data: The samples.
        device: A torch device.
    """
    with judging(model, device):
        images, _, _ = Judge(model, data, device).batch(torch.arange(min(IMAGES, len(data))))
        watched = Watched(model)
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
