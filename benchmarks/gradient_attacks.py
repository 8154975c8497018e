"""FGSM, PGD and MIM for the final iterate, and PGD-50 for robust accuracy alone."""

from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

import torch
from networks import Subject, data_of
from row import Row, Strength
from torch import nn
from torch.nn import functional as F

from classward.attacks.fgsm import FGSM
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.randomness import SampleRandom
from classward.core.types import Attack, Images, Labels
from classward.evaluation.run_attack import run_attack
from classward.models.twin import make_twin

try:
    import torchattacks
except ImportError:
    torchattacks = None

BATCH = 128
# Of an exact run to bare passes: with batch norm to fold, and of a small network without.
FOLDED, SMALL = {"bare": 0.95}, {"bare": 0.85}
FAST = {"bare": 0.35}
FALLS, STANDS = 3.5, 1.2  # PGD-50, of a network that keeps a quarter or less, and of others


def rows(subjects: dict[str, Subject]) -> Iterator[Row]:
    """Each attack on each network, exact and fast."""
    for kind, subject in subjects.items():
        eps, exact = subject[-1], FOLDED if kind == "natural" else SMALL
        ball, quarter = Linf(eps), eps / 4
        for name, attack, steps in (
            ("FGSM", FGSM(ball=ball), 1),
            ("PGD-10", PGD(ball=ball, step_size=quarter, steps=10), 10),
            ("MIM-10", MIM(ball=ball, steps=10), 10),
        ):
            yield _final(f"{name}, {subject[0]}", attack, steps, subject, exact, "exact")
            yield _final(f"{name}, {subject[0]}, fast", attack, steps, subject, FAST, "fast")
        for precision in ("exact", "fast"):
            yield _robust(kind, subject, precision)
        yield _recorded(subject)


def _final(
    name: str,
    attack: Attack,
    steps: int,
    subject: Subject,
    bars: dict[str, float],
    precision: Any,
) -> Row:
    """The final iterate, with the verdict before and after, against as many bare passes."""
    _, network, images, labels, _ = subject
    return Row(
        name=name,
        ours=lambda: _ours(network, attack, images, labels, None, precision),
        peers=_peers(network, images, labels, _theirs(network, attack)),
        bare=lambda: bare(network, images, labels, steps),
        bars=bars,
    )


def _robust(kind: str, subject: Subject, precision: Any) -> Row:
    """Which samples stand after PGD-50."""
    name, network, images, labels, eps = subject
    attack = PGD(ball=Linf(eps), step_size=eps / 4, steps=50)
    falls = kind in ("natural", "conv")
    bar = STANDS if not falls else 8.0 if precision == "fast" else FALLS
    return Row(
        name=f"PGD-50 robust accuracy, {name}{', fast' * (precision == 'fast')}",
        ours=lambda: _ours(network, attack, images, labels, "first_success", precision),
        peers=_peers(network, images, labels, _theirs(network, attack)),
        bare=lambda: bare(network, images, labels, 50),
        bars={"torchattacks": bar},
    )


def _recorded(subject: Subject) -> Row:
    """What checks, digests and a record on disk cost: run_attack beside the attack alone."""
    name, network, images, labels, eps = subject
    attack = PGD(ball=Linf(eps), step_size=eps / 4, steps=10)
    twin, _ = make_twin(network, images[:8])
    data = data_of(images, labels)

    def ours() -> Strength:
        with TemporaryDirectory() as folder:
            record = run_attack(
                network,
                attack,
                data,
                device=str(images.device),
                batch_size=BATCH,
                out=f"{folder}/run",
            )
        return {"robust": record.robust_accuracy}

    def alone() -> Strength:
        stands = 0
        for ids in torch.arange(len(images)).split(BATCH):
            rng = SampleRandom(0, "PGD", ids)
            made = attack(twin, images[ids], labels[ids], rng=rng)
            with torch.no_grad():
                right = network(images[ids]).argmax(dim=1) == labels[ids]
                stands += int((right & (network(made).argmax(dim=1) == labels[ids])).sum())
        return {"robust": stands / len(images)}

    peers = {"the attack and two verdicts": alone}
    bars = {"the attack and two verdicts": 0.97}
    return Row(name=f"PGD-10 recorded, {name}", ours=ours, peers=peers, bars=bars)


def _ours(
    network: nn.Module,
    attack: Attack,
    images: Images,
    labels: Labels,
    until: Any,
    precision: Any,
) -> Strength:
    record = run_attack(
        network,
        attack,
        data_of(images, labels),
        until=until,
        precision=precision,
        device=str(images.device),
        batch_size=BATCH,
    )
    return {"robust": record.robust_accuracy}


def _theirs(network: nn.Module, attack: Any) -> Any:
    """The attack of torchattacks with the same settings, if it is installed."""
    if torchattacks is None:
        return None
    eps = attack.ball.eps
    if isinstance(attack, FGSM):
        return torchattacks.FGSM(network, eps=eps)
    if isinstance(attack, MIM):
        return torchattacks.MIFGSM(
            network, eps=eps, alpha=eps / attack.steps, steps=attack.steps
        )
    return torchattacks.PGD(network, eps=eps, alpha=attack.step_size, steps=attack.steps)


def _peers(
    network: nn.Module, images: Images, labels: Labels, theirs: Any
) -> dict[str, Callable[[], Strength]]:
    if theirs is None:
        return {}

    def run() -> Strength:
        stands = 0
        for part, own in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            made = theirs(part, own)
            with torch.no_grad():
                right = network(part).argmax(dim=1) == own
                stands += int((right & (network(made).argmax(dim=1) == own)).sum())
        return {"robust": stands / len(images)}

    return {"torchattacks": run}


def bare(network: nn.Module, images: Images, labels: Labels, steps: int) -> None:
    """So many forward and input-gradient passes, and two forward passes for the verdicts."""
    for part, own in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        asked = part.clone().requires_grad_()
        for _ in range(steps):
            loss = F.cross_entropy(network(asked), own, reduction="sum")
            torch.autograd.grad(loss, asked)
        with torch.no_grad():
            network(part)
            network(part)
