"""Models that answer differently each time: found on every batch, attacked through their mean.

The attack follows the mean logits of several draws, and its success is decided on that mean, so
that a run can be repeated. What a single draw does under attack is measured beside it.

Source: Athalye et al., arXiv:1802.00420, Sec. 4.2 (expectation over transformation).
"""

import torch

from classward.core.wilson import wilson
from classward.data.split import Split
from classward.evaluation.gradient_models import eot
from classward.evaluation.judge import Judge, Model, judging
from classward.evaluation.plan import Planned
from classward.evaluation.run_attack import run_attack
from classward.records.audit_result import Check

MEAN = 10  # draws that make a mean
SINGLE = 20  # single draws, for each attacked image
MOST = 64  # images on which they are taken


def is_random(model: Model, data: Split, *, batch_size: int = 128, device: str = "cpu") -> bool:
    """Whether forward passes of a batch differ in any bit: five of the first, two of others."""
    with judging(model, device):
        judge = Judge(model, data, device)
        for positions in torch.arange(len(data)).split(batch_size):
            images, _, ids = judge.batch(positions)
            first = judge.logits(images, ids)
            for _ in range(4 if positions[0] == 0 else 1):
                if not torch.equal(first, judge.logits(images, ids)):
                    return True
    return False


def steady(model: Model, seed: int) -> Model:
    """The mean of `MEAN` draws, the same for the same image."""
    return eot(model, MEAN, seed=seed)


def randomness(
    model: Model, data: Split, planned: Planned, *, seed: int = 0, device: str = "cpu"
) -> Check:
    """What single draws of a random model say of images attacked through its mean."""
    part = data.select(torch.linspace(0, len(data) - 1, min(MOST, len(data))).round().long())
    record = run_attack(
        steady(model, seed),
        planned.attack,
        part,
        loss=planned.loss,
        seed=seed,
        device=device,
        save_images=True,
    )
    assert record.images is not None
    with judging(model, device):
        judge = Judge(model, part, device)
        images, right = record.images.to(device), 0
        for _ in range(SINGLE):
            said = judge.logits(images, record.ids).argmax(dim=1).cpu()
            right += int((said == record.labels).sum())
    total = SINGLE * len(part)
    low, high = wilson(right, total)
    return Check(
        name="deterministic",
        passed=False,
        evidence=f"The same image gives different logits each time. The attacks follow and are "
        f"judged by the mean of {MEAN} draws; a single draw is right on {right / total:.1%} "
        f"({low:.1%}-{high:.1%}) of {len(part)} images attacked so, {SINGLE} draws each.",
        otherwise="suspect",
    )
